"""Connections to Redis: bounded in number and in time."""

from __future__ import annotations

import hashlib

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from ragdeploy_service.rag.errors import ConfigurationError
from ragdeploy_service.settings import ServiceSettings


def connect(settings: ServiceSettings, *, timeout: float, connections: int) -> Redis:
    """Make a client that waits at most ``timeout`` seconds for each reply; connects when used.

    A broken connection is replaced once, at once: after a restart of Redis
    every connection of the pool is.

    Raises:
        ConfigurationError: ``redis_url`` is not a URL of Redis.

    """
    if settings.redis_url is None:
        raise ConfigurationError("RAG_REDIS_URL is not set.")
    try:
        pool = BlockingConnectionPool.from_url(
            settings.redis_url.get_secret_value(),
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, 1.0),
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            client_name="ragdeploy",
        )
    except ValueError as error:  # its message holds the URL, and so the password
        raise ConfigurationError(
            "RAG_REDIS_URL must begin with redis://, rediss:// or unix://."
        ) from error
    return Redis.from_pool(pool)


def namespace(settings: ServiceSettings) -> str:
    """Prefix of all keys: one for each store of documents, so that services can share a Redis.

    The braces keep all keys in one slot of a Redis Cluster.
    """
    where = settings.milvus_uri or str(settings.data_dir.resolve())
    store = f"{where}\n{settings.milvus_database}\n{settings.milvus_prefix}"
    return f"ragdeploy:{{{hashlib.sha256(store.encode()).hexdigest()[:16]}}}"
