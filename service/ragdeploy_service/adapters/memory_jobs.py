"""The job queue of a process that is alone: bounded, and gone with the process."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from ragdeploy_service.rag.errors import JobQueueFull
from ragdeploy_service.rag.job_queue import Lease
from ragdeploy_service.rag.models import CollectionId, Document, Job, JobState

_REMEMBERED = 1_000  # ended jobs that can still be asked for
_POLL_SECONDS = 0.25
_RETRY_AFTER = 5.0


class MemoryJobs:
    """Implements `rag.job_queue.JobQueue`.

    Bounded in jobs and in bytes: documents wait in the memory of the service.
    """

    durable = False
    lease_seconds = 3600.0  # nobody else could take a job over

    def __init__(
        self, *, most_jobs: int = 1_000, most_bytes: int = 256 * 2**20, most_attempts: int = 3
    ) -> None:
        self._most_jobs = most_jobs
        self._most_bytes = most_bytes
        self._most_attempts = most_attempts
        self._jobs: dict[str, Job] = {}
        self._ended: deque[str] = deque()
        self._documents: dict[str, tuple[Document, ...]] = {}
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()

    async def submit(self, collection: CollectionId, documents: Sequence[Document]) -> Job:
        size = _size(documents)
        full = len(self._documents) >= self._most_jobs or self._bytes + size > self._most_bytes
        if full and self._documents:
            raise JobQueueFull(
                f"{len(self._documents)} index jobs wait already.", retry_after=_RETRY_AFTER
            )
        job = Job(
            id=uuid4().hex,
            collection=collection,
            state=JobState.QUEUED,
            total=len(documents),
            done=0,
            attempts=0,
            errors=(),
            created_at=datetime.now(UTC),
            started_at=None,
            finished_at=None,
        )
        self._jobs[job.id] = job
        self._documents[job.id] = tuple(documents)
        self._bytes += size
        self._waiting.append(job.id)
        self._arrived.set()
        return job

    async def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    async def take(self) -> Lease | None:
        if not self._waiting:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._arrived.wait()
        if not self._waiting:
            return None
        job = self._jobs[self._waiting.popleft()]
        job = self._change(
            job,
            state=JobState.RUNNING,
            attempts=job.attempts + 1,
            started_at=job.started_at or datetime.now(UTC),
        )
        return Lease(
            job_id=job.id,
            collection=job.collection,
            receipt=job.id,
            attempt=job.attempts,
            documents=self._documents[job.id],
        )

    async def renew(self, lease: Lease, *, done: int) -> bool:
        self._change(self._jobs[lease.job_id], done=done)
        return True

    async def finish(self, lease: Lease, *, errors: Sequence[str]) -> bool:
        job = self._jobs[lease.job_id]
        self._end(job, state=JobState.SUCCEEDED, done=job.total, errors=tuple(errors))
        return True

    async def fail(self, lease: Lease, *, error: str) -> JobState | None:
        job = self._jobs[lease.job_id]
        if job.attempts >= self._most_attempts:
            self._end(job, state=JobState.FAILED, errors=(error,))
            return JobState.FAILED
        self._change(job, state=JobState.QUEUED, errors=(error,))
        self._waiting.append(job.id)
        return JobState.QUEUED

    async def hand_back(self, lease: Lease) -> bool:
        job = self._jobs[lease.job_id]
        self._change(job, state=JobState.QUEUED, attempts=job.attempts - 1)
        self._waiting.appendleft(job.id)
        return True

    async def pending(self) -> int:
        return len(self._documents)

    async def ping(self) -> None:
        """Answer always."""

    async def close(self) -> None:
        """Nothing is open."""

    def _change(self, job: Job, **changes: object) -> Job:
        changed = self._jobs[job.id] = replace(job, **changes)  # type: ignore[arg-type]
        return changed

    def _end(self, job: Job, **changes: object) -> None:
        self._change(job, finished_at=datetime.now(UTC), **changes)
        self._bytes -= _size(self._documents.pop(job.id))
        self._ended.append(job.id)
        if len(self._ended) > _REMEMBERED:
            del self._jobs[self._ended.popleft()]


def _size(documents: Sequence[Document]) -> int:
    return sum(len(document.text) for document in documents)
