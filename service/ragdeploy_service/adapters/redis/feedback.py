"""Ratings of answers, whichever replica gave them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ragdeploy_service.rag.errors import AnswerUnknown, FeedbackUnavailable
from ragdeploy_service.rag.models import Rating
from ragdeploy_service.rag.ports.feedback import MOST_ANSWERS

# Answers that are written in one step: under load one call stands for many.
_AT_ONCE = 256

# Answers that wait while Redis does not answer; beyond that the oldest cannot be rated.
_MOST_WAITING = 10_000

_COOL_DOWN_SECONDS = 2.0

# Keys: the answers of a tenant, by when they are forgotten.
# In: seconds to remember them, how many at most, request ids.
_REMEMBER = """
local now = tonumber(redis.call('TIME')[1])
local given = {}
for n = 3, #ARGV do
  given[#given + 1] = now + ARGV[1]
  given[#given + 1] = ARGV[n]
end
redis.call('ZADD', KEYS[1], unpack(given))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""

# Keys: the same, and the rating of one answer. In: request id, rating.
# Out: nil if there is no such answer, or the rating before, '' if it is the first.
_RATE = """
local now = tonumber(redis.call('TIME')[1])
local forgotten = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
if forgotten <= now then return nil end
local before = redis.call('GET', KEYS[2]) or ''
redis.call('SET', KEYS[2], ARGV[2], 'EX', math.ceil(forgotten - now))
return before
"""

_log = structlog.get_logger(__name__)


class RedisFeedback:
    """Implements `rag.ports.FeedbackStore`.

    Answers are written behind the backs of those who are given them, one call at a time.
    """

    def __init__(self, redis: Redis, *, namespace: str, ttl_seconds: int) -> None:
        """Remember an answer for ``ttl_seconds``."""
        self._redis = redis
        self._remember: Any = redis.register_script(_REMEMBER)
        self._rate: Any = redis.register_script(_RATE)
        self._namespace = namespace
        self._ttl_seconds = ttl_seconds
        self._waiting: dict[tuple[str, str], None] = {}  # in order, the oldest first
        self._writing: asyncio.Task[None] | None = None

    def remember(self, tenant: str, request_id: str) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[tenant, request_id] = None
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="feedback")

    async def rate(self, tenant: str, request_id: str, rating: Rating) -> Rating | None:
        if (tenant, request_id) in self._waiting:
            await self._write([(tenant, request_id)])
        keys = [self._given_key(tenant), f"{self._namespace}:rating:{tenant}:{request_id}"]
        with _guarded():
            before = await self._rate(keys=keys, args=[request_id, rating])
        if before is None:
            raise AnswerUnknown
        return Rating(before.decode()) if before else None

    async def close(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        with contextlib.suppress(FeedbackUnavailable):
            while self._waiting:
                await self._write(self._oldest())
        await self._redis.aclose()

    async def _write_all(self) -> None:
        while self._waiting:
            try:
                await self._write(self._oldest())
            except FeedbackUnavailable:  # said already
                await asyncio.sleep(_COOL_DOWN_SECONDS)

    def _oldest(self) -> list[tuple[str, str]]:
        return list(islice(self._waiting, _AT_ONCE))

    async def _write(self, answers: Sequence[tuple[str, str]]) -> None:
        """Write answers; they wait no longer once they are written."""
        by_tenant: dict[str, list[str]] = {}
        for tenant, request_id in answers:
            by_tenant.setdefault(tenant, []).append(request_id)
        for tenant, ids in by_tenant.items():
            with _guarded():
                key = self._given_key(tenant)
                await self._remember(keys=[key], args=[self._ttl_seconds, MOST_ANSWERS, *ids])
            for request_id in ids:
                self._waiting.pop((tenant, request_id), None)

    def _given_key(self, tenant: str) -> str:
        return f"{self._namespace}:given:{tenant}"


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("answers cannot be rated now", error=str(error))
        raise FeedbackUnavailable("Redis does not answer. Send the rating again later.") from error
