"""A filter means what it says on every backend and in every mode, and opens no other tenant."""

from __future__ import annotations

from pathlib import Path
from random import Random
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from ragdeploy_service.adapters.milvus.store import MilvusStore
from ragdeploy_service.rag.models import Chunk, CollectionId, SearchMode
from ragdeploy_service.settings import ServiceSettings
from tests.support import metadata
from tests.support.metadata import matches

DIMENSION = 8
TENANTS = (CollectionId(tenant="a", name="documents"), CollectionId(tenant="b", name="documents"))
DOCUMENTS = 60


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.milvus)])
async def store(request, tmp_path: Path, patient_store):
    uri = None
    if request.param == "server":
        uri = request.getfixturevalue("milvus_server").uri
    settings = ServiceSettings(
        data_dir=tmp_path, milvus_uri=uri, milvus_prefix=f"t{uuid4().hex[:12]}"
    )
    store = MilvusStore.from_settings(settings, dimension=DIMENSION, fingerprint="model")
    yield store
    for tenant in TENANTS:
        await store.drop(tenant)
    await store.close()


VECTOR = np.eye(DIMENSION, dtype=np.float32)[0]


def documents(tenant):
    """Many, all equally near and with the same words: only filters part them."""
    random = Random(tenant.tenant)
    return [
        Chunk(
            id=f"{number:03}",
            document_id=f"{tenant.tenant}{number}",
            position=0,
            start=0,
            text="word",
            metadata=metadata.metadata(random),
        )
        for number in range(DOCUMENTS)
    ]


@pytest.fixture
async def theirs(store):
    """The collection of each tenant, and the metadata of the documents in it."""
    return [await written(store, tenant) for tenant in TENANTS]


async def written(store, tenant):
    collection = await store.open(tenant, create=True)
    chunks = documents(tenant)
    # Milvus Lite evaluates filters in two ways, on rows that it has flushed and on others.
    half = len(chunks) // 2
    await collection.upsert(chunks[:half], np.stack([VECTOR] * half))
    await collection.flush()
    await collection.upsert(chunks[half:], np.stack([VECTOR] * (len(chunks) - half)))
    await collection.commit()
    return collection, {chunk.document_id: chunk.metadata for chunk in chunks}


async def found(collection, mode, where):
    if mode is SearchMode.SPARSE:
        passages = await collection.search_sparse("word", top_k=100, where=where)
    else:
        passages = await collection.search_dense(VECTOR, top_k=100, where=where)
    return {passage.chunk.document_id for passage in passages}


@how(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=metadata.filters(), whose=st.integers(0, 1))
async def test_a_thousand_filters_find_what_they_say_and_nothing_of_another_tenant(
    theirs, where, whose
):
    collection, expected = theirs[whose]
    meant = {document for document, stored in expected.items() if matches(where, stored)}
    for mode in collection.modes - {SearchMode.HYBRID}:
        assert await found(collection, mode, where) == meant
