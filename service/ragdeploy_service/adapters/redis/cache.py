"""The answer cache that all replicas share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ragdeploy_service.adapters.redis.client import confirmed
from ragdeploy_service.rag.caching import records as cache
from ragdeploy_service.rag.caching.records import Kept
from ragdeploy_service.rag.concurrency.breaker import Breaker
from ragdeploy_service.rag.concurrency.coalescing import Coalescer
from ragdeploy_service.rag.errors import CacheUnavailable
from ragdeploy_service.rag.models import Answer, CollectionId
from ragdeploy_service.rag.ports import Lookup

# After a failure the cache is left alone for so long: a Redis that hangs would otherwise
# add its timeout to every question.
_COOL_DOWN_SECONDS = 2.0

_CONFIRM_SECONDS = 0.2

# Answers that are read in one step; at 5 kB each it takes less than a millisecond.
_READ_AT_ONCE = 64

# In: holder, milliseconds.
_ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# In: holder.
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

_Wanted: TypeAlias = tuple[CollectionId, str]
"""The key of an answer, and the collection that it is of."""

_log = structlog.get_logger(__name__)


class RedisCache:
    """Implements `rag.ports.AnswerCache`, and `Leases` for making an answer once.

    The epoch of a collection is a random word and not a counter: if Redis
    loses it, no answer of an earlier epoch can come back to life.
    """

    def __init__(
        self, redis: Redis, *, namespace: str, ttl_seconds: int, stale_seconds: int = 0
    ) -> None:
        """Keep answers good for ``ttl_seconds`` and stale for ``stale_seconds`` more."""
        self._redis: Any = redis  # its types depend on options of the connection
        self._namespace = namespace
        self._ttl_seconds = ttl_seconds
        self._stale_seconds = stale_seconds
        self._breaker = Breaker(
            "answer cache", failure=CacheUnavailable, failures=1, seconds=_COOL_DOWN_SECONDS
        )
        # While one look is under way, those that come next are collected and go out as one: under
        # load a look costs a fraction of a round trip, and is no older than whoever asked for it.
        self._looks: Coalescer[None, _Wanted, Lookup] = Coalescer(
            self._look, concurrency=1, most=_READ_AT_ONCE
        )
        self._release = redis.register_script(_RELEASE)
        self._acquire = redis.register_script(_ACQUIRE)

    def keep_for(self, *, ttl_seconds: int, stale_seconds: int) -> None:
        self._ttl_seconds = ttl_seconds
        self._stale_seconds = stale_seconds

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        return await self._looks.submit(None, (collection, key))

    async def _look(self, _: None, wanted: Sequence[_Wanted]) -> list[Lookup]:
        collections = list(dict.fromkeys(collection for collection, _ in wanted))
        keys = list(dict.fromkeys(key for _, key in wanted))
        with self._breaker.call(), _guarded():
            values = await self._redis.mget(
                *map(self._epoch_key, collections),
                *map(self._mark_key, collections),
                *map(self._answer_key, keys),
            )
            count = len(collections)
            words, marks, records = values[:count], values[count : 2 * count], values[2 * count :]
            epochs = {
                collection: cache.epoch_of(
                    mark=(mark or b"").decode(),
                    word=(word or await self._begin(self._epoch_key(collection))).decode(),
                )
                for collection, word, mark in zip(collections, words, marks, strict=True)
            }
        found = dict(zip(keys, records, strict=True))
        now = time.time()
        return [_seen(found[key], key, epoch=epochs[of], now=now) for of, key in wanted]

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        expires = time.time() + self._ttl_seconds
        record = cache.dump(Kept(answer=answer, epoch=epoch, expires=expires), key=key)
        seconds = self._ttl_seconds + self._stale_seconds
        with self._breaker.call(), _guarded():
            await self._redis.set(self._answer_key(key), record, ex=seconds)

    async def advance(self, collection: CollectionId) -> None:
        # Not skipped while failing: an epoch that is not moved lets old answers live.
        await self._write({self._epoch_key(collection): secrets.token_hex(8)})

    async def forget(self, collection: CollectionId) -> None:
        await self._write(
            {
                self._epoch_key(collection): secrets.token_hex(8),
                self._mark_key(collection): secrets.token_hex(8),
            }
        )

    async def ping(self) -> None:
        with _guarded():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    # ---- `rag.ports.Leases` ----

    seconds = 3.0

    async def acquire(self, name: str, holder: str) -> bool:
        with self._breaker.call(), _guarded():
            milliseconds = int(self.seconds * 1000)
            return bool(await self._acquire([self._lease_key(name)], [holder, milliseconds]))

    async def release(self, name: str, holder: str) -> None:
        with self._breaker.call(), _guarded():
            await self._release([self._lease_key(name)], [holder])

    async def _write(self, words: dict[str, str]) -> None:
        """Write what must outlive the Redis that takes it."""
        with _guarded():
            await confirmed(self._redis, lambda to: to.mset(words), seconds=_CONFIRM_SECONDS)

    async def _begin(self, epoch_key: str) -> bytes:
        """Write the first epoch; of several replicas one wins."""
        first = secrets.token_hex(8).encode()
        if await self._redis.set(epoch_key, first, nx=True):
            return first
        return bytes(await self._redis.get(epoch_key) or first)

    def _epoch_key(self, collection: CollectionId) -> str:
        return f"{self._namespace}:epoch:{collection}"

    def _mark_key(self, collection: CollectionId) -> str:
        return f"{self._namespace}:deleted:{collection}"

    def _lease_key(self, name: str) -> str:
        return f"{self._namespace}:lease:{name}"

    def _answer_key(self, key: str) -> str:
        return f"{self._namespace}:answer:{key}"


def _seen(record: bytes | None, key: str, *, epoch: str, now: float) -> Lookup:
    kept = cache.load(record, key=key) if record else None
    return kept.seen(epoch=epoch, now=now) if kept else Lookup(epoch=epoch)


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("the answer cache is bypassed", error=str(error))
        raise CacheUnavailable("Redis does not answer.") from error
