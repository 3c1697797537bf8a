"""Answer caches without a server: one in the process, and one that keeps nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from cachetools import TTLCache

from ragdeploy_service.rag.models import Answer
from ragdeploy_service.rag.ports import Lookup

# An answer with its passages is about 5 kB, so this is some 20 MB.
_MOST_ANSWERS = 4096


class MemoryCache:
    """Implements `rag.ports.AnswerCache` for a collection that only this process writes to."""

    def __init__(self, *, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a cache; answers are kept ``ttl_seconds``, the least used go when it is full."""
        self._answers: TTLCache[str, tuple[str, Answer]] = TTLCache(
            _MOST_ANSWERS, ttl_seconds, timer=clock
        )
        self._epoch = secrets.token_hex(8)

    async def get(self, key: str) -> Lookup:
        epoch, answer = self._answers.get(key, (None, None))
        return Lookup(epoch=self._epoch, answer=answer if epoch == self._epoch else None)

    async def put(self, key: str, answer: Answer, *, epoch: str) -> None:
        if epoch == self._epoch:
            self._answers[key] = (epoch, answer)

    async def advance(self) -> None:
        self._epoch = secrets.token_hex(8)
        self._answers.clear()

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        self._answers.clear()


class NoCache:
    """Keeps nothing. For a collection that others may write to without our knowing."""

    async def get(self, key: str) -> Lookup:
        return Lookup(epoch=None)

    async def put(self, key: str, answer: Answer, *, epoch: str) -> None:
        """Forget it."""

    async def advance(self) -> None:
        """Nothing was kept."""

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        """Nothing is open."""
