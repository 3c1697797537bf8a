"""A collection gets the vectors of another model, or other chunks, and loses nothing."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from ragdeploy_service.adapters.milvus.store import MilvusStore
from ragdeploy_service.adapters.sqlite_jobs import SqliteJobs
from ragdeploy_service.observability.metrics import Metrics
from ragdeploy_service.rag.indexing.chunking import Chunker
from ragdeploy_service.rag.indexing.indexer import Indexer
from ragdeploy_service.rag.jobs.reindexer import Reindexer
from ragdeploy_service.rag.models import Chunk, Document
from ragdeploy_service.settings import ServiceSettings
from tests.service.api import (
    BANANAS,
    SCALING,
    TIDES,
    ask,
    finished,
    index,
    is_alive,
    is_ready,
    job,
    problem,
    submit,
    texts,
)
from tests.support.domain import HERE
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"
LONG = " ".join(f"Sentence number {n} of a long text says little." for n in range(60))


def reindex(http):
    response = http.post("/collections/documents/reindex")
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/jobs/{response.json()['job_id']}"
    return response.json()["job_id"]


def chunks(service):
    return service.http.get("/health").json()["parts"]["vector_store"]["chunks"]


def of_another_model(folder, *documents):
    """A collection as a service with another embedding model leaves it."""

    async def make():
        settings = ServiceSettings(data_dir=folder)
        store = MilvusStore.from_settings(settings, dimension=8, fingerprint="another-model")
        collection = await store.open(HERE, create=True)
        for document_id, text in documents:
            middle = text.index(" ", len(text) // 2)
            pieces = [(0, text[:middle]), (middle, text[middle:])]
            whole = [
                Chunk(
                    id=f"{document_id}{position}",
                    document_id=document_id,
                    position=position,
                    start=start,
                    text=piece,
                    metadata={"source": f"{document_id}.md"},
                )
                for position, (start, piece) in enumerate(pieces)
            ]
            await collection.upsert(whole, [[1.0] + [0.0] * 7] * 2)
        await collection.commit()
        await store.close()

    asyncio.run(make())


@pytest.fixture
def mismatched(tmp_path, model):
    """A service that finds a collection of another model."""
    of_another_model(tmp_path / "data", ("one", SCALING), ("two", TIDES))
    service = ServiceProcess({"RAG_EMBEDDING_MODEL_DIR": str(model.folder)}, folder=tmp_path)
    service.process.start()
    yield service
    service.stop()


def test_a_collection_of_another_model_is_refused_until_it_is_reindexed(mismatched):
    service = mismatched
    eventually(lambda: is_alive(service), what="the service is alive")
    reason = problem(service.http.get("/health/ready"), 503)["detail"]
    assert "another-model" in reason
    assert "POST /collections/documents/reindex" in reason
    refused = service.http.post("/query", json={"question": QUESTION})
    assert problem(refused, 503)["detail"] == reason
    done = finished(service.http, reindex(service.http))
    assert (done["kind"], done["done"], done["total"], done["errors"]) == ("reindex", 2, 2, [])
    eventually(lambda: is_ready(service), what="the service is ready")
    answer = ask(service.http, QUESTION)
    assert texts(answer)[0] == SCALING
    assert answer["sources"][0]["metadata"] == {"source": "one.md"}
    assert chunks(service) == 2
    assert "Traceback" not in service.log


def test_other_chunks_are_made_of_the_same_text(tmp_path, run_service):
    service = run_service(folder=tmp_path, RAG_CHUNK_SIZE="32", RAG_CHUNK_OVERLAP="8")
    index(service.http, LONG, SCALING, ids=["long", "short"])
    many = chunks(service)
    service.stop()
    service = run_service(folder=tmp_path)
    assert chunks(service) == many
    finished(service.http, reindex(service.http))
    assert chunks(service) < many / 3
    assert texts(ask(service.http, QUESTION))[0] == SCALING


def test_answers_go_on_and_nothing_is_lost_or_comes_back_while_a_collection_is_reindexed(
    run_replica,
):
    first, second = run_replica(), run_replica()
    index(first.http, *(f"{SCALING} {n}" for n in range(300)), ids=[f"d{n}" for n in range(300)])
    moving = reindex(first.http)
    eventually(lambda: job(first.http, moving)["done"] > 0, what="the job is halfway")
    # Neither of the two workers may write these to the old version, behind where it is read.
    late_ids = [f"late{n}" for n in range(40)]
    late = submit(second.http, *(f"{BANANAS} {n}" for n in range(40)), ids=late_ids)
    while job(first.http, moving)["state"] == "running":
        for replica in (first, second):
            assert len(texts(ask(replica.http, QUESTION, use_cache=False))) == 3
    finished(first.http, moving)
    finished(first.http, late)
    assert BANANAS in texts(ask(second.http, "Where do bananas grow?", use_cache=False))[0]
    assert chunks(first) == chunks(second) == 340


def test_a_killed_reindexing_is_gone_on_with(run_replica):
    first = run_replica()
    index(first.http, *(f"{SCALING} {n}" for n in range(300)), ids=[f"d{n}" for n in range(300)])
    moving = reindex(first.http)
    eventually(lambda: job(first.http, moving)["done"] > 0, what="the job is halfway")
    first.process.kill()
    second = run_replica()
    assert finished(second.http, moving)["attempts"] == 2
    assert chunks(second) == 300


@pytest.mark.milvus
def test_on_a_milvus_server_too_a_killed_reindexing_is_gone_on_with(
    run_service, milvus_server, redis_server
):
    shared = {"MILVUS_URI": milvus_server.uri, "REDIS_URL": redis_server.url}
    first = run_service(**shared)
    texts_ = [f"{SCALING} {n}" for n in range(200)]
    index(first.http, *texts_, ids=[f"d{n}" for n in range(200)])
    generation = first.http.get("/health/index").json()["generation"]
    moving = reindex(first.http)
    eventually(lambda: job(first.http, moving)["done"] > 0, what="the job is halfway")
    first.process.kill()
    second = run_service(**shared)
    assert finished(second.http, moving)["attempts"] == 2
    assert chunks(second) == 200
    assert len(texts(ask(second.http, QUESTION, use_cache=False))) == 3
    found = second.http.get("/health/index").json()
    assert found["documents"] == 200
    assert found["generation"] != generation


class Held:
    """An embedder that waits when it is told to."""

    dimension = 8
    fingerprint = "held"

    def __init__(self):
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def embed_documents(self, texts):
        self.asked.set()
        await self.go_on.wait()
        return np.ones((len(texts), self.dimension), dtype=np.float32)


async def test_what_is_deleted_while_a_collection_is_reindexed_does_not_come_back(tmp_path):
    settings = ServiceSettings(data_dir=tmp_path)
    store = MilvusStore.from_settings(settings, dimension=8, fingerprint=Held.fingerprint)
    collection = await store.open(HERE, create=True)
    embedder = Held()
    embedder.go_on.set()
    chunker = Chunker(len, size=100, overlap=10)
    indexer = Indexer(splitter=chunker, embedder=embedder, store=store, telemetry=Metrics())
    documents = [Document(id=f"d{n}", text=f"text {n}") for n in range(5)]
    await indexer.write(collection, documents, on_progress=lambda done: None)
    queue = SqliteJobs(tmp_path / "jobs.db")
    reindexer = Reindexer(indexer=indexer, store=store, queue=queue)
    await reindexer.request(HERE, idempotency_key=None)
    embedder.asked.clear()
    embedder.go_on.clear()
    work = asyncio.create_task(reindexer(await queue.take(), lambda done, total=None: None))
    await embedder.asked.wait()  # everything is read, and nothing is written
    await collection.delete(await collection.chunk_ids({"d1", "d3"}))
    embedder.go_on.set()
    await work
    page = await collection.documents(where=None, page=None, limit=10)
    assert {document.id for document in page.documents} == {"d0", "d2", "d4"}
    await queue.close()
    await store.close()


def test_there_must_be_something_to_reindex(service):
    response = service.http.post("/collections/nothing/reindex")
    assert "'nothing'" in problem(response, 404)["detail"]
