"""Connections to Redis: bounded in number and in time."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from ragdeploy_service.adapters.redis.sentinel import MasterClient
from ragdeploy_service.adapters.redis.sentinel_url import SentinelUrl
from ragdeploy_service.rag.errors import ConfigurationError
from ragdeploy_service.settings import ServiceSettings


class NotReplicated(RedisError):
    """A write is known to the master alone, and would be lost with it."""


def connect(
    settings: ServiceSettings, *, timeout: float, connections: int, patience: float | None = None
) -> Redis:
    """Make a client that waits at most ``timeout`` seconds for each reply; connects when used.

    A broken connection is replaced once, at once: after a restart of Redis
    every connection of the pool is. Behind Sentinels, a command that is lost
    with its master may wait for the next one, ``patience`` seconds in all.

    Raises:
        ConfigurationError: ``redis_url`` is not a URL of Redis.

    """
    if settings.redis_url is None:
        raise ConfigurationError("RAG_REDIS_URL is not set.")
    url = settings.redis_url.get_secret_value()
    if SentinelUrl.is_one(url):
        try:
            sentinels = SentinelUrl.parse(url)
        except ValueError as error:
            raise ConfigurationError(f"RAG_REDIS_URL cannot be used: {error}.") from None
        return MasterClient.connect(
            sentinels,
            timeout=timeout,
            patience=patience or timeout,
            connections=connections,
            replicas=settings.redis_min_replicas,
        )
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, 1.0),
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            client_name="ragdeploy",
        )
    except ValueError as error:  # its message holds the URL, and so the password
        raise ConfigurationError(
            "RAG_REDIS_URL must begin with redis://, rediss://, redis+sentinel:// or unix://."
        ) from error
    return Redis.from_pool(pool)


async def confirmed(redis: Redis, write: Callable[[Any], Awaitable[Any]], *, seconds: float) -> Any:
    """Write, and return once the write would outlive its master.

    Behind Sentinels that is once ``redis_min_replicas`` replicas have it: of the
    replicas left, the Sentinels promote the one that knows most. Without
    Sentinels no other Redis would take over, and the write itself is all.

    Args:
        redis: From `connect`.
        write: Makes one call on the client or pipeline that it is given.
        seconds: Longest wait for the replicas.

    Returns:
        What Redis answered to the write.

    Raises:
        NotReplicated: too few have it by then. It may be lost, or not.

    """
    if not isinstance(redis, MasterClient) or not redis.replicas:
        return await write(redis)
    async with redis.pipeline(transaction=False) as calls:
        await write(calls)
        # On the same connection, or it would wait for the writes of another.
        calls.execute_command("WAIT", redis.replicas, int(seconds * 1000))
        answer, replicas = await calls.execute()
    if replicas < redis.replicas:
        raise NotReplicated(f"{replicas} of {redis.replicas} replicas have a write.")
    return answer


def namespace(settings: ServiceSettings) -> str:
    """Prefix of all keys: one for each store of documents, so that services can share a Redis.

    The braces keep all keys in one slot of a Redis Cluster.
    """
    where = settings.milvus_uri or str(settings.data_dir.resolve())
    store = f"{where}\n{settings.milvus_database}\n{settings.milvus_prefix}"
    return f"ragdeploy:{{{hashlib.sha256(store.encode()).hexdigest()[:16]}}}"
