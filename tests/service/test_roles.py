"""One image, two programs: an API that leaves the indexing to others, and those who do it."""

from __future__ import annotations

import pytest

from tests.service.api import SCALING, ask, finished, job, problem, submit, texts
from tests.support.process import DidNotStart

QUESTION = "How do I scale the API?"


@pytest.fixture
def api(run_replica):
    return run_replica(RAG_ROLE="api")


def test_an_api_leaves_its_jobs_to_an_indexer(api, run_replica):
    job_id = submit(api.http, SCALING)
    assert job(api.http, job_id)["state"] == "queued"
    indexer = run_replica(RAG_ROLE="indexer")
    finished(api.http, job_id)
    assert texts(ask(api.http, QUESTION)) == [SCALING]
    assert "rag_documents_indexed_total 1.0" in indexer.http.get("/metrics").text
    assert "rag_documents_indexed_total 0.0" in api.http.get("/metrics").text


def test_several_indexers_share_the_jobs(api, run_replica):
    indexers = [run_replica(RAG_ROLE="indexer") for _ in range(2)]
    jobs = [submit(api.http, *(f"Page {n} of book {b}. " * 40 for n in range(8))) for b in range(8)]
    for job_id in jobs:
        assert finished(api.http, job_id)["attempts"] == 1
    for indexer in indexers:
        assert "rag_documents_indexed_total 0.0" not in indexer.http.get("/metrics").text
    assert api.http.get("/health").json()["parts"]["vector_store"]["chunks"] >= 64


def test_an_indexer_answers_no_questions(run_replica):
    indexer = run_replica(RAG_ROLE="indexer")
    assert indexer.http.get("/health/ready").status_code == 200
    problem(indexer.http.post("/query", json={"question": QUESTION}), 404)
    problem(indexer.http.post("/index", json={"documents": [SCALING]}), 404)


def test_an_indexer_needs_no_key_of_the_api(run_replica):
    assert run_replica(RAG_ROLE="indexer", RAG_HOST="0.0.0.0")


@pytest.mark.parametrize("role", ["api", "indexer"])
def test_parts_that_nobody_shares_are_told_before_the_start(run_service, role):
    with pytest.raises(DidNotStart, match="RAG_REDIS_URL and RAG_MILVUS_URI"):
        run_service(RAG_ROLE=role)
