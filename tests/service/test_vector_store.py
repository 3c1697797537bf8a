"""The vector store's contract, on Milvus Lite and on a Milvus server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from ragdeploy_service.adapters.milvus.store import MilvusStore
from ragdeploy_service.rag.errors import (
    CollectionNotFound,
    EmbeddingMismatch,
    InvalidPage,
    RebuildElsewhere,
    SearchModeUnsupported,
    VectorStoreRefused,
    VectorStoreUnavailable,
)
from ragdeploy_service.rag.filters import Comparison, Operator
from ragdeploy_service.rag.models import Chunk, CollectionId, SearchMode
from ragdeploy_service.settings import ServiceSettings
from tests.service.api import SCALING, TIDES, ask, index, texts
from tests.support.domain import HERE
from tests.support.process import free_port

DIMENSION = 16


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.milvus)])
def settings(request, tmp_path):
    uri = None
    if request.param == "server":
        uri = request.getfixturevalue("milvus_server").uri
    return ServiceSettings(data_dir=tmp_path, milvus_uri=uri, milvus_prefix=f"t{uuid4().hex[:12]}")


def another(store, settings, *, fingerprint="model-a"):
    """The store as another replica has it."""
    address = store._address
    same = ServiceSettings(milvus_uri=address.uri, milvus_prefix=settings.milvus_prefix)
    return MilvusStore.from_settings(same, dimension=DIMENSION, fingerprint=fingerprint)


@pytest.fixture
async def store(settings, patient_store):
    store = MilvusStore.from_settings(settings, dimension=DIMENSION, fingerprint="model-a")
    yield store
    await store.close()


@pytest.fixture
async def docs(store):
    return await store.open(HERE, create=True)


def direction(number):
    """One of 16 unit vectors at right angles."""
    return np.eye(DIMENSION, dtype=np.float32)[number]


def chunk(number, *, document_id="document", text="t", **fields):
    return Chunk(
        id=f"{document_id}-{number:03}",
        document_id=document_id,
        position=number,
        start=number * 10,
        text=text,
        **fields,
    )


async def write(docs, *chunks):
    await docs.upsert(chunks, np.stack([direction(c.position % DIMENSION) for c in chunks]))
    await docs.commit()


async def found(docs, number, *, top_k=3, where=None):
    passages = await docs.search_dense(direction(number), top_k=top_k, where=where)
    return [passage.chunk for passage in passages if passage.score >= 0.5]


async def test_what_was_written_comes_back_whole(docs):
    metadata = {
        "source": "香蕉.md",
        "pages": [1, {"deep": None}],
        "score": 0.5,
        "": True,
        "big": 2**63,
    }
    written = chunk(3, document_id='odd "name"', metadata=metadata)
    await write(docs, written, chunk(4))
    passage, _ = await docs.search_dense(direction(3), top_k=5, where=None)
    assert passage.chunk == written
    assert passage.score == passage.dense_score == pytest.approx(1.0, abs=1e-5)


async def test_the_nearest_come_first(docs):
    await write(docs, chunk(0), chunk(1), chunk(2))
    towards = (direction(0) + 0.5 * direction(1)) / np.sqrt(1.25, dtype=np.float32)
    passages = await docs.search_dense(towards, top_k=2, where=None)
    assert [passage.chunk.position for passage in passages] == [0, 1]
    assert passages[1].score == pytest.approx(0.4472, abs=1e-3)


async def test_a_chunk_with_the_same_id_is_replaced(docs):
    await write(docs, chunk(1, metadata={"version": 1}))
    await write(docs, chunk(1, metadata={"version": 2}))
    assert [c.metadata for c in await found(docs, 1)] == [{"version": 2}]
    assert await docs.count() == 1


async def test_deleted_chunks_are_not_found(docs):
    await write(docs, chunk(1), chunk(2))
    await docs.delete({"document-001", "never-there"})
    await docs.commit()
    assert await found(docs, 1) == []
    assert len(await found(docs, 2)) == 1


async def test_chunks_are_listed_by_their_documents(docs):
    await write(docs, chunk(1, document_id="a"), chunk(2, document_id="a"), chunk(3))
    assert await docs.chunk_ids({"a"}) == {"a-001", "a-002"}
    assert await docs.chunk_ids({"a", "document"}) == {"a-001", "a-002", "document-003"}
    assert await docs.chunk_ids({"unknown"}) == set()


@pytest.mark.parametrize(
    "name",
    ['a"b', "a'b", "a\\", "a\\b", "你好😀", '"] or id in ["', "a\u2028b", "{x}", "%d", "a\nb\tc"],
)
async def test_a_name_cannot_end_its_literal(docs, name):
    await write(docs, chunk(1, document_id=name), chunk(2, document_id="other"))
    assert await docs.chunk_ids({name}) == {f"{name}-001"}


async def test_more_chunks_than_one_answer_holds_are_listed(docs, monkeypatch):
    monkeypatch.setattr("ragdeploy_service.adapters.milvus.collection._MOST_ROWS", 8)
    await write(docs, *(chunk(n, document_id="long") for n in range(20)))
    await write(docs, *(chunk(n, document_id=f"short{n}") for n in range(10)))
    documents = {"long", *(f"short{n}" for n in range(10))}
    assert len(await docs.chunk_ids(documents)) == 30


async def test_a_bulk_load_is_found_after_its_commit(docs):
    for start in range(0, 600, 100):
        many = [chunk(n, document_id=f"d{n}") for n in range(start, start + 100)]
        await docs.upsert(many, np.stack([direction(n % DIMENSION) for n in range(100)]))
    await docs.commit()
    assert await docs.count() == 600
    assert len(await found(docs, 5, top_k=50)) == 36


async def test_vectors_of_another_model_are_refused_with_the_remedy(store, docs, settings):
    other = another(store, settings, fingerprint="model-b")
    with pytest.raises(EmbeddingMismatch, match=r"'documents'.*model-a.*model-b.*reindex"):
        await other.open(HERE, create=True)
    await other.close()


@pytest.mark.parametrize("fields", [{"document_id": "d" * 513}, {"metadata": {"big": 2**64}}])
async def test_what_can_never_be_stored_is_refused(docs, fields):
    with pytest.raises(VectorStoreRefused):
        await docs.upsert([chunk(1, **fields)], direction(1)[None])


# ---- collections ----
async def test_opening_again_changes_nothing(store, docs):
    await write(docs, chunk(1))
    assert await store.open(HERE, create=True) is docs
    assert len(await found(docs, 1)) == 1


async def test_what_was_written_is_there_for_the_next_process(store, docs, settings):
    await write(docs, chunk(1))
    other = another(store, settings)
    again = await other.open(HERE, create=False)
    assert await again.count() == 1
    await other.close()


async def test_replicas_that_make_a_collection_at_once_share_it(store, settings):
    others = [another(store, settings) for _ in range(4)]
    opened = await asyncio.gather(*(other.open(HERE, create=True) for other in others))
    await write(opened[0], chunk(1))
    assert [await collection.count() for collection in opened] == [1, 1, 1, 1]
    for other in others:
        await other.close()


async def test_a_collection_that_nobody_made_is_not_found(store):
    with pytest.raises(CollectionNotFound, match="'documents'"):
        await store.open(HERE, create=False)
    assert await store.names("default") == []
    assert not await store.drop(HERE)


async def test_collections_with_like_names_are_apart(store):
    names = ["a-b", "a_b", "ahb"]
    tenants = ["t-u", "t_u"]
    for tenant in tenants:
        for name in names:
            collection = await store.open(CollectionId(tenant=tenant, name=name), create=True)
            await write(collection, chunk(0, document_id=f"{tenant}/{name}"))
    for tenant in tenants:
        assert await store.names(tenant) == sorted(names)
        for name in names:
            collection = await store.open(CollectionId(tenant=tenant, name=name), create=False)
            page = await collection.documents(where=None, page=None, limit=10)
            assert [entry.id for entry in page.documents] == [f"{tenant}/{name}"]


async def test_a_dropped_collection_is_gone_with_all_that_was_in_it(store, docs):
    await write(docs, chunk(1))
    assert await store.drop(HERE)
    with pytest.raises(CollectionNotFound):
        await store.open(HERE, create=False)
    assert await store.names("default") == []
    anew = await store.open(HERE, create=True)
    assert await anew.count() == 0


async def test_a_collection_that_another_replica_dropped_is_made_anew(store, docs, settings):
    other = another(store, settings)
    assert await other.drop(HERE)
    await other.close()
    with pytest.raises(CollectionNotFound):
        await docs.count()
    anew = await store.open(HERE, create=True)
    await write(anew, chunk(1))
    assert len(await found(anew, 1)) == 1
    await store.ping()


async def test_nobody_at_the_address_is_told_soon():
    settings = ServiceSettings(milvus_uri=f"http://127.0.0.1:{free_port()}")
    dead = MilvusStore.from_settings(settings, dimension=DIMENSION, fingerprint="model-a")
    with pytest.raises(VectorStoreUnavailable):
        await dead.open(HERE, create=True)
    with pytest.raises(VectorStoreUnavailable):
        await dead.ping()


# ---- new versions ----
async def test_a_new_version_takes_the_place_of_the_old_one_at_once(store, docs, settings):
    await write(docs, chunk(1))
    other = another(store, settings, fingerprint="model-b")
    rebuild = await other.rebuild(HERE, restart=True)
    await write(rebuild.new, chunk(1), chunk(2))
    assert await docs.count() == 1
    assert [c.position for c in await rebuild.old.chunks("document")] == [1]
    await rebuild.promote()
    assert await (await other.open(HERE, create=False)).count() == 2
    assert await other.names("default") == ["documents"]
    with pytest.raises(VectorStoreUnavailable):  # the old one is gone
        await docs.upsert([chunk(1)], direction(1)[None])
    for refused in (docs.count(), store.open(HERE, create=False)):
        with pytest.raises(EmbeddingMismatch):
            await refused
    await other.close()


async def test_searches_go_on_in_a_new_version_that_another_replica_has_made(store, docs, settings):
    await write(docs, chunk(1))
    other = another(store, settings)
    rebuild = await other.rebuild(HERE, restart=True)
    await write(rebuild.new, chunk(1), chunk(2))
    await rebuild.promote()
    assert len(await found(docs, 2)) == 1
    assert await docs.count() == 2
    await other.close()


async def test_a_new_version_that_was_begun_is_gone_on_with(store, docs, settings):
    first = await store.rebuild(HERE, restart=True)
    await write(first.new, chunk(1))
    for again in (store, another(store, settings)):
        assert await (await again.rebuild(HERE, restart=False)).new.count() == 1
        assert await (await again.rebuild(HERE, restart=True)).new.count() == 1


async def test_a_new_version_for_another_model_is_left_alone_or_begun_anew(store, docs, settings):
    other = another(store, settings, fingerprint="model-b")
    stale = await other.rebuild(HERE, restart=True)
    with pytest.raises(RebuildElsewhere):
        await store.rebuild(HERE, restart=False)
    ours = await store.rebuild(HERE, restart=True)
    await write(ours.new, chunk(1))
    with pytest.raises(RebuildElsewhere):  # it is empty, and would have taken the place
        await stale.promote()
    await ours.promote()
    assert await (await store.open(HERE, create=False)).count() == 1
    await other.close()


async def test_documents_are_counted_and_a_new_version_is_another_generation(store, docs):
    await write(docs, chunk(0), chunk(1), chunk(0, document_id="second"))
    elsewhere = await store.open(replace(HERE, tenant="other", name="far-away"), create=True)
    await write(elsewhere, chunk(0))
    before = await store.size(HERE)
    assert before.documents == 3
    rebuild = await store.rebuild(HERE, restart=True)
    await write(rebuild.new, chunk(0))
    assert await store.size(HERE) == before  # what is in the making does not count
    await rebuild.promote()
    after = await store.size(HERE)
    assert after.documents == 2
    assert after.generation not in (None, before.generation)
    assert (await store.size(replace(HERE, name="nowhere"))).generation is None


async def test_nothing_is_not_rebuilt(store):
    with pytest.raises(CollectionNotFound):
        await store.rebuild(HERE, restart=True)


async def test_a_collection_is_dropped_with_its_new_version(store, docs):
    await store.rebuild(HERE, restart=True)
    assert await store.drop(HERE)
    with pytest.raises(CollectionNotFound):
        await store.rebuild(HERE, restart=False)


# ---- words ----
async def test_words_are_searched_where_the_server_can_and_refused_with_a_reason_elsewhere(
    docs, request
):
    texts = ["Bananas are yellow.", "The sky is blue, not yellow.", "成熟的香蕉是黄色的。"]
    await write(docs, *(chunk(n, text=text) for n, text in enumerate(texts)))
    if SearchMode.SPARSE not in docs.modes:
        assert "server" in request.node.name
        with pytest.raises(SearchModeUnsupported, match=r"Milvus 2\.5.*'dense'"):
            await docs.search_sparse("yellow bananas", top_k=3, where=None)
        return
    passages = await docs.search_sparse("Yellow BANANAS?", top_k=3, where=None)
    assert [passage.chunk.text for passage in passages] == texts[:2]
    assert passages[0].score == passages[0].sparse_score > passages[1].score > 0
    assert passages[0].dense_score is None
    [chinese] = await docs.search_sparse("香蕉是什么颜色？", top_k=3, where=None)
    assert chinese.chunk.text == texts[2]
    assert await docs.search_sparse("?!", top_k=3, where=None) == []


async def test_the_title_is_searched_with_the_text(docs):
    if SearchMode.SPARSE in docs.modes:
        await write(docs, chunk(1, metadata={"title": "Bananas"}), chunk(2))
        [passage] = await docs.search_sparse("bananas", top_k=3, where=None)
        assert passage.chunk.position == 1


async def test_text_with_more_words_than_a_field_holds_is_found_by_its_first(docs):
    long = " ".join(f"漢字{n}" for n in range(7_000))
    await write(docs, chunk(1, text=long[:19_000]))
    if SearchMode.SPARSE in docs.modes:
        [passage] = await docs.search_sparse("漢字", top_k=3, where=None)
        assert passage.chunk.text == long[:19_000]


# ---- documents ----
async def test_the_chunks_of_a_document_come_in_the_order_of_its_text(docs, monkeypatch):
    monkeypatch.setattr("ragdeploy_service.adapters.milvus.collection._TEXTS_AT_ONCE", 4)
    whole = [chunk(n, metadata={"n": 1}) for n in range(11)]
    await write(docs, *reversed(whole), chunk(0, document_id="other"))
    assert await docs.chunks("document") == whole
    assert await docs.chunks("unknown") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_documents_are_listed_page_by_page_each_once(docs, limit):
    ids = [f'id "{n}" \\ ;' for n in range(7)]
    for n, document_id in enumerate(ids):
        chunks = [chunk(p, document_id=document_id, metadata={"n": n}) for p in range(n + 1)]
        await write(docs, *chunks)
    listed, page = [], None
    while True:
        answer = await docs.documents(where=None, page=page, limit=limit)
        assert len(answer.documents) <= limit
        listed += answer.documents
        if (page := answer.next_page) is None:
            break
    assert [entry.id for entry in listed] == ids
    assert [entry.metadata for entry in listed] == [{"n": n} for n in range(7)]


async def test_a_document_that_is_being_replaced_is_listed_once(docs):
    old = chunk(0, document_id="b", metadata={"version": 1})
    new = replace(old, id="b-new", metadata={"version": 2})
    await write(docs, chunk(0, document_id="a"), old, new, chunk(0, document_id="c"))
    for limit in (1, 2, 3, 4):
        listed, page = [], None
        while True:
            answer = await docs.documents(where=None, page=page, limit=limit)
            listed += [entry.id for entry in answer.documents]
            if (page := answer.next_page) is None:
                break
        assert listed == ["a", "b", "c"]


async def test_documents_are_listed_by_their_metadata(docs):
    for n in range(6):
        await write(docs, chunk(0, document_id=f"d{n}", metadata={"even": n % 2 == 0}))
    where = Comparison(key="even", operator=Operator.EQ, value=True)
    page = await docs.documents(where=where, page=None, limit=10)
    assert [entry.id for entry in page.documents] == ["d0", "d2", "d4"]


@pytest.mark.parametrize("page", ["", "x", "e30", "WzEsMl0", "ä", "=" * 5, '"'])
async def test_a_page_that_was_not_given_out_is_refused(docs, page):
    with pytest.raises(InvalidPage):
        await docs.documents(where=None, page=page, limit=10)


@pytest.mark.milvus
def test_a_service_answers_from_a_milvus_server(run_service, milvus_server):
    service = run_service(MILVUS_URI=milvus_server.uri, RAG_MILVUS_PREFIX=f"t{uuid4().hex[:12]}")
    index(service.http, SCALING, ids=["one"])
    assert texts(ask(service.http, "How do I scale the API?")) == [SCALING]
    index(service.http, TIDES, ids=["one"])
    assert texts(ask(service.http, "What do the tides follow?")) == [TIDES]
    assert service.http.get("/health").json()["parts"]["vector_store"]["chunks"] == 1
