"""Answer caches without a server: one in the process, and one that keeps nothing."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable

from cachetools import TTLCache

from ragdeploy_service.rag.caching.records import Kept, epoch_of
from ragdeploy_service.rag.models import Answer, CollectionId
from ragdeploy_service.rag.ports import Lookup

# An answer with its passages is about 5 kB, so this is some 20 MB.
_MOST_ANSWERS = 4096


class MemoryCache:
    """Implements `rag.ports.AnswerCache` for collections that only this process writes to."""

    def __init__(
        self,
        *,
        ttl_seconds: float,
        stale_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a cache; an answer is good for ``ttl_seconds`` and stale for ``stale_seconds`` more.

        The least used go when it is full.
        """
        self._clock = clock
        self._times = (ttl_seconds, stale_seconds)
        self._answers = self._room()
        self._words: defaultdict[CollectionId, str] = defaultdict(lambda: secrets.token_hex(8))
        self._marks: dict[CollectionId, str] = {}

    def keep_for(self, *, ttl_seconds: float, stale_seconds: float) -> None:
        times = (ttl_seconds, stale_seconds)
        if times != self._times:
            self._times = times
            self._answers = self._room()

    def _room(self) -> TTLCache[str, Kept]:
        return TTLCache(_MOST_ANSWERS, sum(self._times), timer=self._clock)

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        now = self._epoch(collection)
        kept = self._answers.get(key)
        return kept.seen(epoch=now, now=self._clock()) if kept else Lookup(epoch=now)

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        if epoch == self._epoch(collection):
            expires = self._clock() + self._times[0]
            self._answers[key] = Kept(answer=answer, epoch=epoch, expires=expires)

    async def advance(self, collection: CollectionId) -> None:
        self._words.pop(collection, None)

    async def forget(self, collection: CollectionId) -> None:
        self._marks[collection] = secrets.token_hex(8)
        self._words.pop(collection, None)

    def _epoch(self, collection: CollectionId) -> str:
        return epoch_of(mark=self._marks.get(collection, ""), word=self._words[collection])

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        self._answers.clear()


class NoCache:
    """Keeps nothing. For a collection that others may write to without our knowing."""

    def keep_for(self, *, ttl_seconds: int, stale_seconds: int) -> None:
        """Nothing is kept."""

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        return Lookup(epoch=None)

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        """Forget it."""

    async def advance(self, collection: CollectionId) -> None:
        """Nothing was kept."""

    async def forget(self, collection: CollectionId) -> None:
        """Nothing was kept."""

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        """Nothing is open."""
