"""Makes all vectors of a collection anew: for another embedding model, or other chunks.

The documents are read back from their chunks, cut and embedded into a new
version of the collection beside the old one, which takes its place at once.
Until then questions are answered from the old one, if its model still runs.

What is indexed meanwhile must not be lost in the old one. So while a collection is
reindexed its index jobs wait, in the queue where both stand: a worker that takes one
looks for a reindex job that runs and steps back, and a reindex job begins when no
index job runs. Both are ``running`` in the queue before they look, so one of
them sees the other. What is deleted meanwhile is deleted from the new
version at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from ragdeploy_service.rag.errors import CollectionBusy, DocumentChanges
from ragdeploy_service.rag.indexing.chunking import text_of
from ragdeploy_service.rag.indexing.indexer import Indexer, IndexReport
from ragdeploy_service.rag.jobs.worker import Handler, OnProgress
from ragdeploy_service.rag.models import CollectionId, Document, Job, JobKind, JobState
from ragdeploy_service.rag.ports import Collection, Rebuild, VectorStore
from ragdeploy_service.rag.ports.job_queue import JobQueue, Lease

_DOCUMENTS_AT_ONCE = 32  # held in memory
_IDS_AT_ONCE = 1_000
_JOBS_AT_ONCE = 100
_LOOK_SECONDS = 0.5


class Reindexer:
    """Handles jobs of `JobKind.REINDEX`; a job that is begun again goes on where it stopped."""

    def __init__(self, *, indexer: Indexer, store: VectorStore, queue: JobQueue) -> None:
        self._indexer = indexer
        self._store = store
        self._queue = queue

    async def request(self, collection: CollectionId, *, idempotency_key: str | None) -> Job:
        """Have a collection reindexed with the model and the chunks of this service.

        The new version is begun at once, so that workers with another model leave the job to ours.

        Raises:
            CollectionNotFound: it is not there.
            JobQueueFull: too many jobs wait.

        """
        await self._store.rebuild(collection, restart=True)
        return await self._queue.submit(
            collection, kind=JobKind.REINDEX, idempotency_key=idempotency_key
        )

    async def __call__(self, lease: Lease, on_progress: OnProgress) -> IndexReport:
        """Reindex a collection; nobody else may write to it meanwhile.

        Raises:
            RebuildElsewhere: that is for workers with another model.
            CollectionBusy: another job reindexes it.

        """
        await self._alone(lease)
        rebuild = await self._store.rebuild(lease.collection, restart=False)
        total = 0
        async for ids in _ids(rebuild.old, at_once=_IDS_AT_ONCE):
            total += len(ids)
            on_progress(0, total)
        report = await self._copy(rebuild, lambda done: on_progress(done, total))
        await _drop_deleted(rebuild)
        await rebuild.new.commit()
        await rebuild.promote()
        return report

    async def _copy(self, rebuild: Rebuild, on_progress: Callable[[int], None]) -> IndexReport:
        done = chunks = 0
        errors: list[str] = []
        async for ids in _ids(rebuild.old, at_once=_DOCUMENTS_AT_ONCE):
            # All at the same time: a server may take 0.2 s to answer each one with what is latest.
            read = await asyncio.gather(*(_read(rebuild.old, document_id) for document_id in ids))
            documents = [document for document in read if isinstance(document, Document)]
            errors += [problem for problem in read if isinstance(problem, str)]
            report = await self._indexer.write(rebuild.new, documents, on_progress=_nowhere)
            done += len(ids)
            on_progress(done)
            chunks += report.chunks
            errors += report.errors
        return IndexReport(chunks=chunks, errors=tuple(errors))

    async def _alone(self, lease: Lease) -> None:
        """Return when no other job of the collection runs; those that begin now step back."""
        while others := [
            job for job in await running(self._queue, lease.collection) if job.id != lease.job_id
        ]:
            if any(job.kind is JobKind.REINDEX and job.id < lease.job_id for job in others):
                raise CollectionBusy("The collection is being reindexed; this job waits for that.")
            await asyncio.sleep(_LOOK_SECONDS)


def unless_reindexing(handler: Handler, queue: JobQueue) -> Handler:
    """Do the jobs of a handler only while their collection is not reindexed; else they wait."""

    async def handle(lease: Lease, on_progress: OnProgress) -> IndexReport:
        jobs = await running(queue, lease.collection)
        if any(job.kind is JobKind.REINDEX for job in jobs):
            raise CollectionBusy("The collection is being reindexed; this job waits for that.")
        return await handler(lease, on_progress)

    return handle


async def running(queue: JobQueue, collection: CollectionId) -> list[Job]:
    """Jobs of a collection that a worker has now."""
    found: list[Job] = []
    page: str | None = None
    while True:
        answer = await queue.jobs(
            collection.tenant, state=JobState.RUNNING, page=page, limit=_JOBS_AT_ONCE
        )
        found += [job for job in answer.jobs if job.collection == collection]
        if (page := answer.next_page) is None:
            return found


async def _ids(collection: Collection, *, at_once: int) -> AsyncIterator[list[str]]:
    """Ids of all documents of a collection, some at a time."""
    page: str | None = None
    while True:
        answer = await collection.documents(where=None, page=page, limit=at_once)
        if answer.documents:
            yield [document.id for document in answer.documents]
        if (page := answer.next_page) is None:
            return


async def _read(collection: Collection, document_id: str) -> Document | str | None:
    """Make a document of its chunks, or say why not; None if it was deleted just now."""
    chunks = await collection.chunks(document_id)
    if not chunks:
        return None
    try:
        text = text_of(chunks)
    except DocumentChanges:  # its job died halfway; if it is tried again all is well
        return f"Document {document_id!r} was in two versions; index it again."
    return Document(id=document_id, text=text, metadata=chunks[0].metadata)


async def _drop_deleted(rebuild: Rebuild) -> None:
    """Delete from the new version what was deleted from the old one after it was read."""
    there = {
        document_id async for ids in _ids(rebuild.old, at_once=_IDS_AT_ONCE) for document_id in ids
    }
    async for ids in _ids(rebuild.new, at_once=_IDS_AT_ONCE):
        if gone := set(ids) - there:
            await rebuild.new.delete(await rebuild.new.chunk_ids(gone))


def _nowhere(done: int) -> None:
    """Progress is told by whoever counts the documents of all slices."""
