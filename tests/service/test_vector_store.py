"""The vector store's contract, on Milvus Lite and on a Milvus server."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest

from ragdeploy_service.adapters.milvus import MilvusStore
from ragdeploy_service.rag.errors import (
    EmbeddingMismatch,
    VectorStoreRefused,
    VectorStoreUnavailable,
)
from ragdeploy_service.rag.models import Chunk
from ragdeploy_service.settings import ServiceSettings
from tests.service.api import SCALING, TIDES, ask, index, texts
from tests.support.process import free_port

DIMENSION = 16


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.milvus)])
def settings(request, tmp_path):
    uri = None
    if request.param == "server":
        uri = request.getfixturevalue("milvus_server").uri
    return ServiceSettings(data_dir=tmp_path, milvus_uri=uri, collection=f"test_{uuid4().hex}")


@pytest.fixture
async def store(settings):
    store = MilvusStore.from_settings(settings)
    await store.open(dimension=DIMENSION, fingerprint="model-a")
    yield store
    await store.close()


def direction(number):
    """One of 16 unit vectors at right angles."""
    return np.eye(DIMENSION, dtype=np.float32)[number]


def chunk(number, *, document_id="document", **fields):
    return Chunk(
        id=f"{document_id}-{number}", document_id=document_id, position=number, text="t", **fields
    )


async def write(store, *chunks):
    await store.upsert(chunks, np.stack([direction(c.position % DIMENSION) for c in chunks]))
    await store.commit()


async def found(store, number, **limits):
    passages = await store.search(direction(number), **{"top_k": 3, "min_score": 0.5} | limits)
    return [passage.chunk for passage in passages]


async def test_what_was_written_comes_back_whole(store):
    metadata = {"source": "香蕉.md", "pages": [1, {"deep": None}], "score": 0.5, "": True}
    written = chunk(3, document_id='odd "name"', metadata=metadata)
    await write(store, written, chunk(4))
    [passage] = await store.search(direction(3), top_k=5, min_score=0.5)
    assert passage.chunk == written
    assert passage.score == pytest.approx(1.0, abs=1e-5)


async def test_the_nearest_come_first(store):
    await write(store, chunk(0), chunk(1), chunk(2))
    towards = (direction(0) + 0.5 * direction(1)) / np.sqrt(1.25, dtype=np.float32)
    passages = await store.search(towards, top_k=2, min_score=0.0)
    assert [passage.chunk.position for passage in passages] == [0, 1]
    assert passages[1].score == pytest.approx(0.4472, abs=1e-3)


async def test_a_chunk_with_the_same_id_is_replaced(store):
    await write(store, chunk(1, metadata={"version": 1}))
    await write(store, chunk(1, metadata={"version": 2}))
    assert [c.metadata for c in await found(store, 1)] == [{"version": 2}]
    assert await store.count() == 1


async def test_deleted_chunks_are_not_found(store):
    await write(store, chunk(1), chunk(2))
    await store.delete({"document-1", "never-there"})
    await store.commit()
    assert await found(store, 1) == []
    assert len(await found(store, 2)) == 1


async def test_chunks_are_listed_by_their_documents(store):
    await write(store, chunk(1, document_id="a"), chunk(2, document_id="a"), chunk(3))
    assert await store.chunk_ids({"a"}) == {"a-1", "a-2"}
    assert await store.chunk_ids({"a", "document"}) == {"a-1", "a-2", "document-3"}
    assert await store.chunk_ids({"unknown"}) == set()


@pytest.mark.parametrize(
    "name",
    ['a"b', "a'b", "a\\", "a\\b", "你好😀", '"] or id in ["', "a\u2028b", "{x}", "%d", "a\nb\tc"],
)
async def test_a_name_cannot_end_its_literal(store, name):
    await write(store, chunk(1, document_id=name), chunk(2, document_id="other"))
    assert await store.chunk_ids({name}) == {f"{name}-1"}


async def test_more_chunks_than_one_answer_holds_are_listed(store, monkeypatch):
    monkeypatch.setattr("ragdeploy_service.adapters.milvus._MOST_ROWS", 8)
    await write(store, *(chunk(n, document_id="long") for n in range(20)))
    await write(store, *(chunk(n, document_id=f"short{n}") for n in range(10)))
    documents = {"long", *(f"short{n}" for n in range(10))}
    assert len(await store.chunk_ids(documents)) == 30


async def test_a_bulk_load_is_found_after_its_commit(store):
    for start in range(0, 600, 100):
        many = [chunk(n, document_id=f"d{n}") for n in range(start, start + 100)]
        await store.upsert(many, np.stack([direction(n % DIMENSION) for n in range(100)]))
    await store.commit()
    assert await store.count() == 600
    assert len(await found(store, 5, top_k=50)) == 36


async def test_vectors_of_another_model_are_refused(store, settings):
    other = MilvusStore(store._address, collection=settings.collection, lite=None)
    with pytest.raises(EmbeddingMismatch, match=r"model-a.*model-b.*RAG_COLLECTION"):
        await other.open(dimension=DIMENSION, fingerprint="model-b")
    with pytest.raises(EmbeddingMismatch):
        await other.search(direction(0), top_k=1, min_score=0.0)


async def test_opening_again_changes_nothing(store, settings):
    await write(store, chunk(1))
    await store.open(dimension=DIMENSION, fingerprint="model-a")
    assert len(await found(store, 1)) == 1


async def test_what_can_never_be_stored_is_refused(store):
    with pytest.raises(VectorStoreRefused):
        await store.upsert([chunk(1, document_id="d" * 513)], direction(1)[None])


async def test_a_collection_that_was_dropped_is_made_anew(store, settings):
    client = store._address.blocking()
    client.drop_collection(settings.collection)
    client.close()
    with pytest.raises(VectorStoreUnavailable):
        await store.ping()
    assert not store.opened
    await store.open(dimension=DIMENSION, fingerprint="model-a")
    await write(store, chunk(1))
    assert len(await found(store, 1)) == 1


async def test_nobody_at_the_address_is_told_soon():
    dead = MilvusStore.from_settings(ServiceSettings(milvus_uri=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(VectorStoreUnavailable):
        await dead.open(dimension=DIMENSION, fingerprint="model-a")
    with pytest.raises(VectorStoreUnavailable):
        await dead.ping()


@pytest.mark.milvus
def test_a_service_answers_from_a_milvus_server(run_service, milvus_server):
    service = run_service(MILVUS_URI=milvus_server.uri, RAG_COLLECTION=f"test_{uuid4().hex}")
    index(service.http, SCALING, ids=["one"])
    assert texts(ask(service.http, "How do I scale the API?")) == [SCALING]
    index(service.http, TIDES, ids=["one"])
    assert texts(ask(service.http, "What do the tides follow?")) == [TIDES]
    assert service.http.get("/health").json()["parts"]["vector_store"]["chunks"] == 1
