"""Works off jobs, one at a time, and loses none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import structlog

from ragdeploy_service.rag.errors import JobQueueUnavailable, RagError, Unavailable
from ragdeploy_service.rag.indexing.indexer import Indexer, IndexReport
from ragdeploy_service.rag.models import JobKind, JobState
from ragdeploy_service.rag.ports import AnswerCache, Telemetry
from ragdeploy_service.rag.ports.job_queue import JobQueue, Lease

_FIRST_PAUSE = 0.5  # seconds after a part did not answer, doubled each time
_LONGEST_PAUSE = 15.0

_log = structlog.get_logger(__name__)


class OnProgress(Protocol):
    """Is told how many documents of a job are done, and of how many if that has changed."""

    def __call__(self, done: int, total: int | None = None) -> None: ...


class Handler(Protocol):
    """Does the work of one kind of job; doing it twice comes to the same as once."""

    async def __call__(self, lease: Lease, on_progress: OnProgress) -> IndexReport: ...


def indexing(indexer: Indexer) -> Handler:
    """Handle jobs of `JobKind.INDEX`."""

    async def index(lease: Lease, on_progress: OnProgress) -> IndexReport:
        return await indexer.index(lease.collection, lease.documents, on_progress=on_progress)

    return index


class JobWorker:
    """Takes jobs from a queue and does them, each with the handler for its kind.

    A job is finished only after its chunks can be found and the cache has
    forgotten the answers from before, so whoever sees it ``succeeded`` gets
    answers that know its documents. A worker that dies in between leaves the
    job to another, and indexing twice writes the same rows.
    """

    def __init__(
        self,
        *,
        queue: JobQueue,
        handlers: Mapping[JobKind, Handler],
        cache: AnswerCache,
        ready: Callable[[], Coroutine[Any, Any, None]],
        telemetry: Telemetry,
    ) -> None:
        """Make a worker; it takes no job before ``ready()`` has returned."""
        self._queue = queue
        self._handlers = handlers
        self._cache = cache
        self._ready = ready
        self._telemetry = telemetry
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work in the background."""
        self._task = asyncio.create_task(self._run(), name="job-worker")

    def stop_taking(self) -> None:
        """Take no job after the one at hand."""
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

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                await self._unless_stopping(self._ready())
                if (lease := await self._queue.take()) is not None:
                    with self._telemetry.job_span(
                        lease.kind, job_id=lease.job_id, traceparent=lease.traceparent
                    ):
                        await self._work(lease)
            except Unavailable as error:
                _log.warning("jobs wait", reason=str(error), seconds=pause)
            except Exception:  # whatever it was, somebody must go on with the jobs
                _log.exception("jobs wait", seconds=pause)
            else:
                pause = _FIRST_PAUSE
                continue
            await self._unless_stopping(asyncio.sleep(pause))
            pause = min(pause * 2, _LONGEST_PAUSE)

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
        """Do one job; whatever happens, the queue knows what became of it."""
        started = time.monotonic()
        progress = _Progress(total=len(lease.documents))
        work = asyncio.create_task(self._handlers[lease.kind](lease, progress.advance))
        renewal = asyncio.create_task(self._renew(lease, progress))
        log = _log.bind(job=lease.job_id, kind=lease.kind, attempt=lease.attempt)
        try:
            await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await _cancel(work)
                await self._let_go(lease)
                return
            await self._finish(lease, work.result(), documents=progress.total)
            log.info("job done", chunks=work.result().chunks, seconds=_since(started))
        except (Unavailable, asyncio.CancelledError):
            await self._hand_back(lease)
            raise
        except Exception as error:
            log.exception("the job failed")
            reason = (
                str(error) if isinstance(error, RagError) else "An error that was not foreseen."
            )
            if await self._queue.fail(lease, error=reason) is JobState.FAILED:
                self._telemetry.job(JobState.FAILED, documents=progress.total)
        finally:
            await _cancel(work, renewal)

    async def _let_go(self, lease: Lease) -> None:
        """Another worker has the job, or it was cancelled and what is written stays."""
        job = await self._queue.get(lease.job_id)
        cancelled = job is not None and job.state is JobState.CANCELLED
        _log.info("the job is let go", job=lease.job_id, cancelled=cancelled)
        if cancelled:
            await self._cache.advance(lease.collection)

    async def _finish(self, lease: Lease, report: IndexReport, *, documents: int) -> None:
        # In this order: a job that is done while old answers are still given out would be a lie.
        await self._cache.advance(lease.collection)
        if await self._queue.finish(lease, errors=report.errors):
            self._telemetry.job(JobState.SUCCEEDED, documents=documents)

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
                if not await self._queue.renew(lease, done=progress.done, total=progress.total):
                    return
            except JobQueueUnavailable as error:
                _log.warning("the job's lease was not renewed", job=lease.job_id, reason=str(error))


class _Progress:
    """Documents done so far, of how many."""

    def __init__(self, *, total: int) -> None:
        self.done = 0
        self.total = total
        self._changed = asyncio.Event()

    def advance(self, done: int, total: int | None = None) -> None:
        self.done = done
        self.total = self.total if total is None else total
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
