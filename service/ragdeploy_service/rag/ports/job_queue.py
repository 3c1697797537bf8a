"""What routes and the worker ask of a queue of jobs; `adapters` has one on disk, one in Redis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from ragdeploy_service.rag.errors import InvalidPage
from ragdeploy_service.rag.models import (
    CollectionId,
    Document,
    Epochs,
    Job,
    JobKind,
    JobPage,
    JobState,
)

REMEMBER_SECONDS = 7 * 24 * 3600
"""How long a job that has ended can be asked for, and one that failed be tried again."""

REPEAT_SECONDS = 24 * 3600
"""How long a request with an idempotency key is known again."""

_END_OF_TIME = 2**53  # the largest number that Redis compares exactly

LOST = "The documents of this job are lost; index them again."
GIVEN_UP = "Every worker that began this job ended before it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A job that one worker holds until it finishes it, hands it back, or stops renewing it.

    ``receipt`` is the queue's own proof of holding, ``traceparent`` the trace
    of the request that the job came with (W3C Trace Context), if there is one.
    """

    job_id: str
    kind: JobKind
    collection: CollectionId
    receipt: str
    attempt: int
    documents: tuple[Document, ...]
    traceparent: str | None = None


Origin = Callable[[], str | None]
"""Names the trace of the present request."""


class JobQueue(Protocol):
    """Keeps accepted work until it is done, across restarts.

    Every call may raise `JobQueueUnavailable`. Calls that return a bool return
    False if the lease is no longer held: another worker has the job, or it was
    cancelled.
    """

    @property
    def lease_seconds(self) -> float:
        """Time after which a lease that was not renewed ends."""
        ...

    async def submit(
        self,
        collection: CollectionId,
        documents: Sequence[Document] = (),
        *,
        kind: JobKind = JobKind.INDEX,
        idempotency_key: str | None = None,
    ) -> Job:
        """Take work in; with a key that is known already, return the job it became then.

        A key belongs to a tenant and is known for a day.

        Raises:
            JobQueueFull: too many jobs wait.
            IdempotencyConflict: the key was used for other work.

        """
        ...

    async def get(self, job_id: str) -> Job | None:
        """What became of a job; None if there is none, or it ended long ago."""
        ...

    async def jobs(
        self, tenant: str, *, state: JobState | None, page: str | None, limit: int
    ) -> JobPage:
        """List a tenant's jobs, those that came into their state last first.

        Raises:
            InvalidPage: ``page`` is not a ``next_page`` of such a list.

        """
        ...

    async def cancel(self, job: Job) -> Job | None:
        """End a job that waits or runs; None if there is no such job any more.

        Its worker notices within `lease_seconds` / 3; what it has written stays.

        Raises:
            JobEnded: it has succeeded or failed.

        """
        ...

    async def retry(self, job: Job) -> Job | None:
        """Queue a job again that failed, with a new epoch; None if there is no such job any more.

        Raises:
            JobNotFailed: it is in another state.
            JobQueueFull: too many jobs wait.

        """
        ...

    async def epochs(self, collection: CollectionId) -> Epochs:
        """How far the jobs of a collection have come."""
        ...

    async def take(self) -> Lease | None:
        """Get the next job, or None if none came within a moment."""
        ...

    async def renew(self, lease: Lease, *, done: int, total: int) -> bool:
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


def dump(documents: Sequence[Document]) -> str:
    """Write documents down for a queue."""
    return json.dumps([asdict(document) for document in documents], ensure_ascii=False)


def load(payload: str | bytes) -> tuple[Document, ...]:
    """Read what `dump` wrote."""
    return tuple(Document(**fields) for fields in json.loads(payload))


def fingerprint(collection: CollectionId, kind: JobKind, payload: str) -> str:
    """Tell the work of two requests apart: 64 hex digits."""
    return hashlib.sha256(f"{collection}\n{kind}\n{payload}".encode()).hexdigest()


def page_start(page: str | None) -> int:
    """The time, in microseconds since 1970, before which the jobs of a page last changed.

    Raises:
        InvalidPage: ``page`` is not a number as `JobQueue.jobs` gives out.

    """
    if page is None:
        return _END_OF_TIME
    if not (page.isascii() and page.isdigit() and len(page) <= len(str(_END_OF_TIME))):
        raise InvalidPage("There is no such page of jobs.")
    return int(page)
