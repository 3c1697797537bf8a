"""Keeps answers until their collection changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ragdeploy_service.rag.models import (
    Answer,
    CollectionId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the cache knows of a question.

    ``epoch`` names the state of its collection. It is read no later than
    ``answer``, and is None where nobody can say whether the collection has
    changed: then nothing may be kept or shared. ``stale`` is an answer of an
    earlier epoch, or one that has expired: better than none.
    """

    epoch: str | None
    answer: Answer | None = None
    stale: Answer | None = None


class AnswerCache(Protocol):
    """Keeps answers until the collection changes.

    An answer is kept with the epoch that was read *before* its passages were
    searched for. So an answer from the collection as it was before an index
    job can be stored after that job, but is never given out.
    """

    def keep_for(self, *, ttl_seconds: int, stale_seconds: int) -> None:
        """Keep what is put from now on good for so long, and stale for so much more."""
        ...

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        """Look for an answer of the collection's present epoch.

        Raises:
            CacheUnavailable: it does not answer.

        """
        ...

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        """Keep an answer that was made from the collection at ``epoch``.

        Raises:
            CacheUnavailable: it does not answer.

        """
        ...

    async def advance(self, collection: CollectionId) -> None:
        """Begin a new epoch of a collection: what is kept so far is stale from now on.

        Raises:
            CacheUnavailable: it does not answer, so old answers may still be given out.

        """
        ...

    async def forget(self, collection: CollectionId) -> None:
        """Begin a new epoch, and give out nothing that was kept so far, as stale either.

        Raises:
            CacheUnavailable: it does not answer, so old answers may still be given out.

        """
        ...

    async def ping(self) -> None:
        """Return if it answers.

        Raises:
            CacheUnavailable: it does not.

        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
