"""Answer caches without a server: one in the process, and one that keeps nothing."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable

from cachetools import TTLCache

from ragdeploy_service.rag.models import Answer, CollectionId
from ragdeploy_service.rag.ports import Lookup

# An answer with its passages is about 5 kB, so this is some 20 MB.
_MOST_ANSWERS = 4096


class MemoryCache:
    """Implements `rag.ports.AnswerCache` for collections that only this process writes to."""

    def __init__(self, *, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a cache; answers are kept ``ttl_seconds``, the least used go when it is full."""
        self._answers: TTLCache[str, tuple[str, Answer]] = TTLCache(
            _MOST_ANSWERS, ttl_seconds, timer=clock
        )
        self._epochs: defaultdict[CollectionId, str] = defaultdict(lambda: secrets.token_hex(8))

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        now = self._epochs[collection]
        epoch, answer = self._answers.get(key, (None, None))
        return Lookup(epoch=now, answer=answer if epoch == now else None)

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        if epoch == self._epochs[collection]:
            self._answers[key] = (epoch, answer)

    async def advance(self, collection: CollectionId) -> None:
        self._epochs.pop(collection, None)

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        self._answers.clear()


class NoCache:
    """Keeps nothing. For a collection that others may write to without our knowing."""

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        return Lookup(epoch=None)

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        """Forget it."""

    async def advance(self, collection: CollectionId) -> None:
        """Nothing was kept."""

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        """Nothing is open."""
