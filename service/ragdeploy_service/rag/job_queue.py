"""What the worker asks of a queue of index jobs; `adapters` has one in memory and one in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ragdeploy_service.rag.models import CollectionId, Document, Job, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A job that one worker holds until it finishes it, hands it back, or stops renewing it.

    ``receipt`` is the queue's own proof of holding.
    """

    job_id: str
    collection: CollectionId
    receipt: str
    attempt: int
    documents: tuple[Document, ...]


class JobQueue(Protocol):
    """Keeps accepted documents until they are indexed.

    Every call may raise `JobQueueUnavailable`. Calls that return a bool return
    False if the lease is no longer held: another worker has the job.
    """

    @property
    def durable(self) -> bool:
        """Whether jobs outlive this process."""
        ...

    @property
    def lease_seconds(self) -> float:
        """Time after which a lease that was not renewed ends."""
        ...

    async def submit(self, collection: CollectionId, documents: Sequence[Document]) -> Job:
        """Take documents in, to be indexed in a collection.

        Raises:
            JobQueueFull: too many jobs wait.

        """
        ...

    async def get(self, job_id: str) -> Job | None:
        """What became of a job; None if there is none, or it ended long ago."""
        ...

    async def take(self) -> Lease | None:
        """Get the next job, or None if none came within a moment."""
        ...

    async def renew(self, lease: Lease, *, done: int) -> bool:
        """Hold on to a job and say how many of its documents are done."""
        ...

    async def finish(self, lease: Lease, *, errors: Sequence[str]) -> bool:
        """End a job; ``errors`` name the documents that could not be indexed."""
        ...

    async def fail(self, lease: Lease, *, error: str) -> JobState | None:
        """Give up this attempt: ``queued`` again or, after several, ``failed`` for good.

        None if the lease is no longer held.
        """
        ...

    async def hand_back(self, lease: Lease) -> bool:
        """Put a job back as if it had not been taken."""
        ...

    async def pending(self) -> int:
        """Number of jobs that wait or run."""
        ...

    async def ping(self) -> None:
        """Return if it answers."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
