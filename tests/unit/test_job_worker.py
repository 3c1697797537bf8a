"""The worker: commits in the right order, hands back what it cannot finish, and ends in time."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from ragdeploy_service.adapters.sqlite_jobs import SqliteJobs
from ragdeploy_service.observability.metrics import Metrics
from ragdeploy_service.rag.errors import CacheUnavailable, VectorStoreUnavailable
from ragdeploy_service.rag.indexing.indexer import Indexer
from ragdeploy_service.rag.jobs.worker import JobWorker, _Progress, indexing
from ragdeploy_service.rag.models import Chunk, Document, JobKind, JobState
from tests.support.domain import HERE


class WholeText:
    """Makes one chunk of each document."""

    def split(self, document):
        chunk_id = f"{document.id}/{document.text}"
        chunk = Chunk(id=chunk_id, document_id=document.id, position=0, start=0, text=document.text)
        return [chunk] if document.text else []


class Embedder:
    dimension = 1
    fingerprint = "test"

    async def embed_documents(self, texts):
        return np.ones((len(texts), 1), dtype=np.float32)


class Store:
    """One collection in memory, which tells the order of events, and fails when told to."""

    def __init__(self, events):
        self.events = events
        self.chunks = {}
        self.failures = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def open(self, collection, *, create):
        return self

    async def chunk_ids(self, document_ids):
        return {c.id for c in self.chunks.values() if c.document_id in document_ids}

    async def upsert(self, chunks, vectors):
        await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.chunks |= {chunk.id: chunk for chunk in chunks}
        self.events.append("written")

    async def delete(self, chunk_ids):
        self.events.append("old deleted")
        for chunk_id in chunk_ids:
            self.chunks.pop(chunk_id, None)

    async def commit(self):
        self.events.append("searchable")


class Cache:
    def __init__(self, events):
        self.events = events
        self.failures = []

    async def advance(self, collection):
        if self.failures:
            raise self.failures.pop(0)
        self.events.append("cache emptied")


class Queue(SqliteJobs):
    def __init__(self, events, path, **options):
        super().__init__(path, **options)
        self.events = events

    async def finish(self, lease, *, errors):
        self.events.append("job ended")
        return await super().finish(lease, errors=errors)


class World:
    """A worker and all that it works with."""

    def __init__(self, folder):
        self.events = []
        self.store, self.cache = Store(self.events), Cache(self.events)
        self.queue = Queue(self.events, folder / "jobs.db", most_attempts=2)
        self.metrics = Metrics()
        self.ready = asyncio.Event()
        self.waits = asyncio.Event()
        self.ready.set()
        indexer = Indexer(
            splitter=WholeText(), embedder=Embedder(), store=self.store, telemetry=self.metrics
        )
        self.worker = JobWorker(
            queue=self.queue,
            handlers={JobKind.INDEX: indexing(indexer)},
            cache=self.cache,
            ready=self._wait_ready,
            telemetry=self.metrics,
        )

    async def _wait_ready(self):
        self.waits.set()
        await self.ready.wait()

    async def submit(self, *texts, ids=None):
        names = ids or [f"d{n}" for n in range(len(texts))]
        documents = [Document(id=i, text=t) for i, t in zip(names, texts, strict=True)]
        return (await self.queue.submit(HERE, documents)).id

    async def until(self, job_id, *states):
        async with asyncio.timeout(20):
            while (job := await self.queue.get(job_id)).state not in states:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return job

    async def ended(self, job_id):
        return await self.until(job_id, JobState.SUCCEEDED, JobState.FAILED)

    def texts(self):
        return sorted(chunk.text for chunk in self.store.chunks.values())


@pytest.fixture
async def world(monkeypatch, tmp_path):
    monkeypatch.setattr("ragdeploy_service.rag.jobs.worker._FIRST_PAUSE", 0.01)
    world = World(tmp_path)
    world.worker.start()
    yield world
    world.store.hold.set()
    async with asyncio.timeout(10):
        await world.worker.drain(seconds=0)
        await world.queue.close()


async def test_a_job_ends_after_its_chunks_can_be_found_and_the_cache_is_empty(world):
    job = await world.ended(await world.submit("text"))
    assert job.state is JobState.SUCCEEDED
    assert world.events == ["written", "searchable", "cache emptied", "job ended"]


async def test_the_old_version_goes_after_the_new_one_is_written(world):
    await world.ended(await world.submit("old"))
    world.events.clear()
    await world.ended(await world.submit("new"))
    assert world.events[:2] == ["written", "old deleted"]
    assert world.texts() == ["new"]


async def test_a_document_without_text_leaves_its_old_version(world):
    await world.ended(await world.submit("old"))
    job = await world.ended(await world.submit(""))
    assert job.errors == ("Document 'd0' has no text.",)
    assert world.texts() == ["old"]


async def test_of_two_documents_with_one_id_the_later_counts(world):
    await world.ended(await world.submit("first", "second", ids=["same", "same"]))
    assert world.texts() == ["second"]


async def test_an_outage_of_the_store_costs_no_attempt(world):
    world.store.failures = [VectorStoreUnavailable("down")] * 5
    job = await world.ended(await world.submit("text"))
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)


async def test_a_cache_that_cannot_forget_holds_the_job_up(world):
    world.cache.failures = [CacheUnavailable("down")] * 3
    job = await world.ended(await world.submit("text"))
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 1)
    assert world.events[-2:] == ["cache emptied", "job ended"]


async def test_an_error_that_nobody_foresaw_is_tried_again_and_then_told(world):
    world.store.failures = [RuntimeError("secret path /etc")] * 2
    job = await world.ended(await world.submit("text"))
    assert (job.state, job.attempts) == (JobState.FAILED, 2)
    assert job.errors == ("An error that was not foreseen.",)


async def test_the_worker_outlives_a_bad_job(world):
    world.store.failures = [RuntimeError("bad")] * 2
    await world.ended(await world.submit("bad"))
    assert (await world.ended(await world.submit("good"))).state is JobState.SUCCEEDED


async def test_nothing_is_taken_before_everything_is_ready(tmp_path):
    world = World(tmp_path)
    world.ready.clear()
    world.worker.start()
    job_id = await world.submit("text")
    async with asyncio.timeout(20):
        await world.waits.wait()
    assert (await world.queue.get(job_id)).state is JobState.QUEUED
    world.ready.set()
    await world.ended(job_id)
    await world.worker.drain(seconds=0)


async def test_a_worker_that_waits_ends_at_once(world):
    world.ready.clear()
    async with asyncio.timeout(5):
        await world.worker.drain(seconds=60)


async def test_a_cancellation_that_comes_with_progress_counts():
    # asyncio.wait_for swallows it before Python 3.12; then the worker never ends.
    progress = _Progress(total=1)
    waiting = asyncio.create_task(progress.wait(seconds=60))
    for _ in range(3):
        await asyncio.sleep(0)
    progress.advance(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_job_that_is_not_done_in_time_is_handed_back(world):
    world.store.hold.clear()
    job_id = await world.submit("text")
    await world.until(job_id, JobState.RUNNING)
    await world.worker.drain(seconds=0.05)
    job = await world.queue.get(job_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)


async def test_a_cancelled_job_stops_and_what_it_wrote_is_answered_from(world, monkeypatch):
    monkeypatch.setattr(type(world.queue), "lease_seconds", 0.05)
    world.store.hold.clear()
    job = await world.until(await world.submit("text"), JobState.RUNNING)
    await world.queue.cancel(job)
    async with asyncio.timeout(10):
        while "cache emptied" not in world.events:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert world.events == ["cache emptied"]
    assert (await world.queue.get(job.id)).state is JobState.CANCELLED
    world.store.hold.set()
    assert (await world.ended(await world.submit("next"))).state is JobState.SUCCEEDED
    assert world.texts() == ["next"]


async def test_a_job_that_another_worker_took_over_is_let_go(world, monkeypatch):
    async def lost(lease, *, done, total):
        return False

    looks_for_the_next = asyncio.Event()

    async def take_none():
        looks_for_the_next.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(world.queue, "renew", lost)
    monkeypatch.setattr(type(world.queue), "lease_seconds", 0.05)
    world.store.hold.clear()
    job_id = await world.submit("text")
    await world.until(job_id, JobState.RUNNING)
    monkeypatch.setattr(world.queue, "take", take_none)
    async with asyncio.timeout(20):
        await looks_for_the_next.wait()
    assert world.events == []  # neither ended nor handed back: it is not ours
    assert (await world.queue.get(job_id)).state is JobState.RUNNING
