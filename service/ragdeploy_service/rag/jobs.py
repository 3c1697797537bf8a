"""Works off index jobs, one at a time, and loses none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from ragdeploy_service.rag.errors import JobQueueUnavailable, RagError, Unavailable
from ragdeploy_service.rag.indexing import Indexer, IndexReport
from ragdeploy_service.rag.job_queue import JobQueue, Lease
from ragdeploy_service.rag.models import JobState
from ragdeploy_service.rag.ports import AnswerCache, Telemetry

_FIRST_PAUSE = 0.5  # seconds after a part did not answer, doubled each time
_LONGEST_PAUSE = 15.0

_log = structlog.get_logger(__name__)


class JobWorker:
    """Takes jobs from a queue and indexes their documents.

    A job is finished only after its chunks can be found and the cache has
    forgotten the answers from before, so whoever sees it ``succeeded`` gets
    answers that know its documents. A worker that dies in between leaves the
    job to another, and indexing twice writes the same rows.
    """

    def __init__(
        self,
        *,
        queue: JobQueue,
        indexer: Indexer,
        cache: AnswerCache,
        ready: Callable[[], Coroutine[Any, Any, None]],
        telemetry: Telemetry,
    ) -> None:
        """Make a worker; it takes no job before ``ready()`` has returned."""
        self._queue = queue
        self._indexer = indexer
        self._cache = cache
        self._ready = ready
        self._telemetry = telemetry
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work in the background."""
        self._task = asyncio.create_task(self._run(), name="job-worker")

    def stop_taking(self) -> None:
        """Take no job after the one at hand; where jobs die with this process, finish them all."""
        self._stopping.set()

    async def drain(self, *, seconds: float) -> None:
        """Stop taking, and after ``seconds`` hand back what is not done."""
        self.stop_taking()
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=max(0.0, seconds))
        for task in late:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if not self._queue.durable and (jobs := await self._queue.pending()):
            _log.error("index jobs end with this process; index their documents again", jobs=jobs)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not await self._may_stop():
            try:
                await self._unless_stopping(self._ready())
                if (lease := await self._queue.take()) is not None:
                    await self._work(lease)
            except Unavailable as error:
                _log.warning("index jobs wait", reason=str(error), seconds=pause)
            except Exception:  # whatever it was, somebody must go on with the jobs
                _log.exception("index jobs wait", seconds=pause)
            else:
                pause = _FIRST_PAUSE
                continue
            await self._unless_stopping(asyncio.sleep(pause))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _may_stop(self) -> bool:
        return self._stopping.is_set() and (self._queue.durable or not await self._queue.pending())

    async def _unless_stopping(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Wait, but not once the worker is to stop."""
        tasks = [asyncio.create_task(waiting), asyncio.create_task(self._stop_requested())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(*tasks)

    async def _stop_requested(self) -> None:
        await self._stopping.wait()

    async def _work(self, lease: Lease) -> None:
        """Index one job's documents; whatever happens, the queue knows what became of it."""
        started = time.monotonic()
        progress = _Progress()
        index = asyncio.create_task(
            self._indexer.index(lease.collection, lease.documents, on_progress=progress.advance)
        )
        renewal = asyncio.create_task(self._renew(lease, progress))
        log = _log.bind(job=lease.job_id, documents=len(lease.documents), attempt=lease.attempt)
        try:
            await asyncio.wait({index, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if not index.done():
                log.warning("another worker has taken the job over")
                return
            await self._finish(lease, index.result())
            log.info("job done", chunks=index.result().chunks, seconds=_since(started))
        except (Unavailable, asyncio.CancelledError):
            await self._hand_back(lease)
            raise
        except Exception as error:
            log.exception("the job failed")
            reason = (
                str(error) if isinstance(error, RagError) else "An error that was not foreseen."
            )
            if await self._queue.fail(lease, error=reason) is JobState.FAILED:
                self._telemetry.job(JobState.FAILED, documents=len(lease.documents))
        finally:
            await _cancel(index, renewal)

    async def _finish(self, lease: Lease, report: IndexReport) -> None:
        # In this order: a job that is done while old answers are still given out would be a lie.
        await self._cache.advance(lease.collection)
        if await self._queue.finish(lease, errors=report.errors):
            self._telemetry.job(JobState.SUCCEEDED, documents=len(lease.documents))

    async def _hand_back(self, lease: Lease) -> None:
        try:
            await asyncio.shield(self._queue.hand_back(lease))
        except JobQueueUnavailable as error:
            _log.warning(
                "the job could not be handed back; another worker takes it when the lease ends",
                job=lease.job_id,
                reason=str(error),
            )

    async def _renew(self, lease: Lease, progress: _Progress) -> None:
        """Hold the lease and report progress; returns when the lease is lost."""
        while True:
            await progress.wait(seconds=self._queue.lease_seconds / 3)
            try:
                if not await self._queue.renew(lease, done=progress.done):
                    return
            except JobQueueUnavailable as error:
                _log.warning("the job's lease was not renewed", job=lease.job_id, reason=str(error))


class _Progress:
    """Documents done so far."""

    def __init__(self) -> None:
        self.done = 0
        self._changed = asyncio.Event()

    def advance(self, done: int) -> None:
        self.done = done
        self._changed.set()

    async def wait(self, *, seconds: float) -> None:
        """Return when there is progress, or after ``seconds``."""
        # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
