"""Reranked sources: in a better order, or in the one they were found in, and never late."""

from __future__ import annotations

import pytest

from tests.service.api import BANANAS, SCALING, TIDES, ask, counter, fields, index, problem, texts
from tests.support.llm import Failure
from tests.support.reranker import NAME, RerankServer, write_cross_encoder
from tests.support.service import ServiceProcess

QUESTION = "How do I scale the API?"


@pytest.fixture(scope="module")
def _reranker():
    server = RerankServer().start()
    yield server
    server.stop()


@pytest.fixture
def reranker(_reranker):
    """A server that thinks of bananas only."""
    _reranker.reset()
    _reranker.relevance = lambda question, passage: float("banana" in passage)
    return _reranker


@pytest.fixture(scope="module")
def _service(tmp_path_factory, model, _llm, _reranker):
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "OPENAI_BASE_URL": _llm.url,
        "RAG_RERANK_BACKEND": "http",
        "RAG_RERANK_BASE_URL": _reranker.url,
        "RAG_RERANK_TIMEOUT_SECONDS": "1",
        "RAG_BREAKER_SECONDS": "0",
        "RAG_TOP_K": "1",
    }
    folder = tmp_path_factory.mktemp("service")
    with ServiceProcess(settings, folder=folder) as running:
        index(running.http, SCALING, BANANAS, TIDES)
        yield running


@pytest.fixture
def service(_service, reranker, llm):
    return _service


def test_the_reranker_chooses_among_more_passages_than_are_asked_for(service, reranker):
    answer = ask(service.http, QUESTION, rerank=True)
    assert texts(answer) == [BANANAS]
    assert answer["sources"][0]["rerank_score"] == answer["sources"][0]["score"] == 1.0
    assert answer["degraded"] == []
    assert answer["timings"]["rerank"] > 0
    assert len(reranker.calls[0].body["documents"]) == 3
    assert counter(service.http, "rag_stage_seconds_count", stage="rerank") >= 1


def test_a_request_that_does_not_ask_for_it_is_not_reranked(service, reranker):
    answer = ask(service.http, QUESTION)
    assert texts(answer) == [SCALING]
    assert answer["sources"][0]["rerank_score"] is None
    assert "rerank" not in answer["timings"]
    assert reranker.calls == []


def test_reranked_answers_are_kept_apart_from_others(service):
    question = "How do I scale the API and keep the answer?"
    assert texts(ask(service.http, question, rerank=True)) == [BANANAS]
    other = ask(service.http, question, rerank=False)
    assert (other["cached"], texts(other)) == ("none", [SCALING])
    again = ask(service.http, question, rerank=True)
    assert (again["cached"], texts(again)) == ("exact", [BANANAS])
    assert again["sources"][0]["rerank_score"] == 1.0


@pytest.mark.parametrize("failure", [Failure.BROKEN, Failure.SILENCE, Failure.NONSENSE])
def test_passages_stay_in_the_order_they_were_found_in_while_it_fails(service, reranker, failure):
    question = f"How do I scale the API while it does {failure.name}?"
    before = counter(service.http, "rag_degraded_total", part="reranker")
    reranker.fail(failure)
    answer = ask(service.http, question, rerank=True)
    assert texts(answer) == [SCALING]
    assert (answer["mode"], answer["degraded"]) == ("generated", ["reranker"])
    assert counter(service.http, "rag_degraded_total", part="reranker") == before + 1
    reranker.recover()
    whole = ask(service.http, question, rerank=True)
    assert (whole["cached"], texts(whole)) == ("none", [BANANAS])


def test_passages_without_an_answer_are_reranked_too(service, reranker):
    body = {"question": QUESTION, "rerank": True}
    found = service.http.post("/retrieve", json=body).json()
    assert (texts(found), found["degraded"]) == ([BANANAS], [])
    reranker.fail(Failure.BROKEN)
    found = service.http.post("/retrieve", json=body).json()
    assert (texts(found), found["degraded"]) == ([SCALING], ["reranker"])


def test_a_conversation_can_ask_for_it(service):
    body = {
        "model": "ragdeploy",
        "messages": [{"role": "user", "content": QUESTION}],
        "rerank": True,
    }
    completion = service.http.post("/v1/chat/completions", json=body).json()
    assert [source["text"] for source in completion["sources"]] == [BANANAS]


def test_a_cross_encoder_in_the_process_reranks_by_default(run_service, model, tmp_path):
    folder = write_cross_encoder(tmp_path / "cross-encoder", tokenizer=model.tokenizer)
    service = run_service(
        RAG_RERANK_BACKEND="onnx",
        RAG_RERANK="true",
        RAG_RERANK_MODEL=NAME,
        RAG_RERANK_MODEL_DIR=str(folder),
    )
    index(service.http, SCALING, BANANAS, TIDES)
    answer = ask(service.http, "About twice a day, what follows the moon?")
    assert texts(answer)[0] == TIDES
    scores = [source["rerank_score"] for source in answer["sources"]]
    assert scores == sorted(scores, reverse=True)
    assert service.http.get("/health").json()["parts"]["reranker"]["model"] == NAME
    ranker = {"query": "the moon", "ranking_options": {"ranker": "none"}}
    found = service.http.post("/v1/vector_stores/documents/search", json=ranker)
    assert found.status_code == 200, found.text
    assert ask(service.http, "What follows the moon?", rerank=False)["sources"][0]["score"] < 1


def test_who_asks_for_it_where_there_is_none_is_told_what_to_do(keyed_service):
    http = keyed_service.http
    for path in ("/query", "/retrieve"):
        response = http.post(path, json={"question": QUESTION, "rerank": True})
        details = problem(response, 422)
        assert fields(details) == ["rerank"]
        assert "RAG_RERANK_BACKEND" in details["errors"][0]["message"]
    body = {"model": "ragdeploy", "rerank": True}
    body["messages"] = [{"role": "user", "content": QUESTION}]
    error = http.post("/v1/chat/completions", json=body)
    assert (error.status_code, error.json()["error"]["param"]) == (400, "rerank")
