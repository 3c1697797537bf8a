"""The job queue of a process that is alone, in a file that outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from ragdeploy_service.adapters.sqlite_job_file import Bounds, JobFile
from ragdeploy_service.rag.errors import JobEnded, JobNotFailed, JobQueueUnavailable
from ragdeploy_service.rag.models import (
    CollectionId,
    Document,
    Epochs,
    Job,
    JobKind,
    JobPage,
    JobState,
)
from ragdeploy_service.rag.ports import job_queue
from ragdeploy_service.rag.ports.job_queue import Lease, Origin

_POLL_SECONDS = 0.25

_T = TypeVar("_T")

_log = structlog.get_logger(__name__)


class SqliteJobs:
    """Implements `rag.ports.job_queue.JobQueue`, for one process at a time.

    SQLite works in a thread of its own, and each call is one transaction on
    disk. Bounded in jobs and in bytes of documents.
    """

    lease_seconds = 6.0  # nobody could take over; it says how soon a cancelled job stops

    def __init__(
        self,
        path: Path,
        *,
        most_jobs: int = 1_000,
        most_bytes: int = 256 * 2**20,
        most_attempts: int = 3,
        origin: Origin = lambda: None,
    ) -> None:
        """Open the file, and make it if need be.

        Raises:
            ConfigurationError: it cannot be written, or another process has it.

        """
        bounds = Bounds(most_jobs=most_jobs, most_bytes=most_bytes, most_attempts=most_attempts)
        self._file = JobFile(path, bounds)
        self._most_attempts = most_attempts
        self._origin = origin
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs")

    async def submit(
        self,
        collection: CollectionId,
        documents: Sequence[Document] = (),
        *,
        kind: JobKind = JobKind.INDEX,
        idempotency_key: str | None = None,
    ) -> Job:
        traceparent = self._origin()

        def add(payload: str) -> Job:
            return self._file.add(
                collection, kind, payload, total=len(documents), traceparent=traceparent
            )

        def write() -> Job:
            payload = job_queue.dump(documents)
            if idempotency_key is None:
                return add(payload)
            print_ = job_queue.fingerprint(collection, kind, payload)
            request = (collection.tenant, idempotency_key, print_)
            if (job := self._file.known(*request)) is None:
                job = add(payload)
                self._file.remember(*request, job)
            return job

        job = await self._transact(write)
        self._arrived.set()
        return job

    async def get(self, job_id: str) -> Job | None:
        return await self._transact(lambda: self._file.find(job_id))

    async def jobs(
        self, tenant: str, *, state: JobState | None, page: str | None, limit: int
    ) -> JobPage:
        before = job_queue.page_start(page)
        found = await self._transact(
            lambda: self._file.listed(tenant, state, before=before, limit=limit + 1)
        )
        return JobPage(
            jobs=tuple(job for _, job in found[:limit]),
            next_page=str(found[limit - 1][0]) if len(found) > limit else None,
        )

    async def cancel(self, job: Job) -> Job | None:
        def write() -> Job | None:
            found = self._file.find(job.id)
            if found is None or found.state is JobState.CANCELLED:
                return found
            if found.state.ended:
                raise JobEnded(f"The job has {found.state} already.")
            self._file.end(found, JobState.CANCELLED, errors=found.errors, done=found.done)
            return self._file.find(job.id)

        return await self._transact(write)

    async def retry(self, job: Job) -> Job | None:
        def write() -> Job | None:
            if (found := self._file.find(job.id)) is None:
                return None
            if found.state is not JobState.FAILED:
                raise JobNotFailed(f"The job is {found.state}; only a failed one is tried again.")
            self._file.queue_anew(found)
            return self._file.find(job.id)

        again = await self._transact(write)
        self._arrived.set()
        return again

    async def epochs(self, collection: CollectionId) -> Epochs:
        return await self._transact(lambda: self._file.epochs(collection))

    async def take(self) -> Lease | None:
        self._arrived.clear()
        if (lease := await self._transact(self._file.begin)) is not None:
            return lease
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._arrived.wait()
        return await self._transact(self._file.begin) if self._arrived.is_set() else None

    async def renew(self, lease: Lease, *, done: int, total: int) -> bool:
        return await self._as_holder(
            lease, lambda job: self._file.change(job, done=done, total=total)
        )

    async def finish(self, lease: Lease, *, errors: Sequence[str]) -> bool:
        return await self._as_holder(
            lease,
            lambda job: self._file.end(job, JobState.SUCCEEDED, errors=errors, done=job.total),
        )

    async def fail(self, lease: Lease, *, error: str) -> JobState | None:
        last = lease.attempt >= self._most_attempts

        def write(job: Job) -> None:
            if last:
                self._file.end(job, JobState.FAILED, errors=[error], done=job.done)
            else:
                self._file.queue(job, last=True, errors=json.dumps([error]))

        if not await self._as_holder(lease, write):
            return None
        return JobState.FAILED if last else JobState.QUEUED

    async def hand_back(self, lease: Lease) -> bool:
        return await self._as_holder(
            lease, lambda job: self._file.queue(job, last=False, attempts=job.attempts - 1)
        )

    async def pending(self) -> int:
        count, _ = await self._transact(self._file.pending)
        return count

    async def ping(self) -> None:
        await self.pending()

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()

    async def _as_holder(self, lease: Lease, write: Callable[[Job], None]) -> bool:
        """Change a job whose lease still holds; False if it does not."""

        def change() -> bool:
            job = self._file.held(lease)
            if job is not None:
                write(job)
            return job is not None

        held = await self._transact(change)
        self._arrived.set()
        return held

    async def _transact(self, work: Callable[[], _T]) -> _T:
        def run() -> _T:
            with self._file.transaction():
                return work()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)
        except sqlite3.Error as error:
            _log.warning("the jobs on disk cannot be used", error=str(error))
            raise JobQueueUnavailable(
                "The job queue on disk cannot be used now; is the disk full?"
            ) from error
