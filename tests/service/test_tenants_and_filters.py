"""No filter opens another tenant's documents, whatever it says."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragdeploy_service.rag.filters import Compound
from tests.service.api import index
from tests.support import metadata
from tests.support.keys import with_key, write_keys
from tests.support.metadata import matches
from tests.support.service import ServiceProcess

TENANTS = ("acme", "umbrella")
DOCUMENTS = 40


@pytest.fixture(scope="module")
def tenants(tmp_path_factory, model):
    """A client of each tenant, and the metadata of its documents; the texts are the same."""
    keys = write_keys(
        tmp_path_factory.mktemp("keys"), **{tenant: {"tenant": tenant} for tenant in TENANTS}
    )
    environment = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "RAG_API_KEYS_DIR": str(keys),
        "RAG_RATE_LIMIT_REQUESTS_PER_MINUTE": "0",
    }
    with ServiceProcess(environment, folder=tmp_path_factory.mktemp("service")) as service:
        yield [(with_key(service, tenant), documents(service, tenant)) for tenant in TENANTS]


def documents(service, tenant):
    random = Random(tenant)
    found = {f"{tenant}{number}": metadata.metadata(random) for number in range(DOCUMENTS)}
    index(
        with_key(service, tenant),
        *(f"Text number {number}." for number in range(DOCUMENTS)),
        ids=list(found),
        metadatas=list(found.values()),
    )
    return found


def as_json(where):
    if isinstance(where, Compound):
        return {"type": where.junction, "filters": [as_json(part) for part in where.filters]}
    return {"type": where.operator, "key": where.key, "value": where.value}


def over_http(where):
    """Filters whose keys and lists the API takes."""
    if isinstance(where, Compound):
        return all(over_http(part) for part in where.filters)
    return where.value != () and where.key not in {"", 'q"]', "$meta"}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    where=metadata.filters().filter(over_http),
    whose=st.integers(0, 1),
    mode=st.sampled_from(["dense", "sparse", "hybrid"]),
)
def test_a_filter_finds_what_it_says_among_the_tenants_own_documents_in_every_mode(
    tenants, where, whose, mode
):
    http, expected = tenants[whose]
    response = http.post(
        "/retrieve",
        json={
            "question": "Text number?",
            "top_k": 50,
            "min_score": -1,
            "search_mode": mode,
            "filters": as_json(where),
        },
    )
    assert response.status_code == 200, response.text
    found = {source["doc_id"] for source in response.json()["sources"]}
    assert found == {document for document, stored in expected.items() if matches(where, stored)}
