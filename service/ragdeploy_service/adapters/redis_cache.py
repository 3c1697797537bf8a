"""The answer cache that all replicas share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ragdeploy_service.rag import cache
from ragdeploy_service.rag.errors import CacheUnavailable
from ragdeploy_service.rag.models import Answer, CollectionId
from ragdeploy_service.rag.ports import Lookup

# After a failure the cache is left alone for so long: a Redis that hangs would otherwise
# add its timeout to every question.
_COOL_DOWN_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class RedisCache:
    """Implements `rag.ports.AnswerCache`.

    The epoch of a collection is a random word and not a counter: if Redis
    loses it, no answer of an earlier epoch can come back to life.
    """

    def __init__(self, redis: Redis, *, namespace: str, ttl_seconds: int) -> None:
        self._redis: Any = redis  # its types depend on options of the connection
        self._namespace = namespace
        self._ttl_seconds = ttl_seconds
        self._closed_until = 0.0

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        epoch_key = self._epoch_key(collection)
        with self._unless_failing():
            word, record = await self._redis.mget(epoch_key, self._answer_key(key))
            if word is None:
                word = await self._begin(epoch_key)
        epoch = word.decode()
        answer = cache.load(record, key=key, epoch=epoch) if record else None
        return Lookup(epoch=epoch, answer=answer)

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        record = cache.dump(answer, key=key, epoch=epoch)
        with self._unless_failing():
            await self._redis.set(self._answer_key(key), record, ex=self._ttl_seconds)

    async def advance(self, collection: CollectionId) -> None:
        # Not skipped while failing: an epoch that is not moved lets old answers live.
        with self._guarded():
            await self._redis.set(self._epoch_key(collection), secrets.token_hex(8))

    async def ping(self) -> None:
        with self._guarded():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    async def _begin(self, epoch_key: str) -> bytes:
        """Write the first epoch; of several replicas one wins."""
        first = secrets.token_hex(8).encode()
        if await self._redis.set(epoch_key, first, nx=True):
            return first
        return bytes(await self._redis.get(epoch_key) or first)

    def _epoch_key(self, collection: CollectionId) -> str:
        return f"{self._namespace}:epoch:{collection}"

    def _answer_key(self, key: str) -> str:
        return f"{self._namespace}:answer:{key}"

    @contextmanager
    def _unless_failing(self) -> Iterator[None]:
        if time.monotonic() < self._closed_until:
            raise CacheUnavailable("Redis failed a moment ago.")
        with self._guarded():
            yield

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError, TimeoutError) as error:
            self._closed_until = time.monotonic() + _COOL_DOWN_SECONDS
            _log.warning("the answer cache is bypassed", error=str(error))
            raise CacheUnavailable("Redis does not answer.") from error
