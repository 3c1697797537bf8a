"""What a question gets: the contract of POST /query, on a service without a language model."""

from __future__ import annotations

import pytest

from tests.service.api import BANANAS, CHINESE, SCALING, TIDES, ask, index, texts


@pytest.fixture(scope="module", autouse=True)
def _documents(service):
    index(
        service.http,
        SCALING,
        BANANAS,
        TIDES,
        CHINESE,
        metadatas=[{"source": "scaling.md", "page": 3}, {}, {}, {"source": "香蕉.md"}],
        ids=["scaling", "bananas", "tides", "chinese"],
    )


def test_an_answer_has_the_fields_of_the_contract(service):
    answer = ask(service.http, "How do I scale the API?")
    assert set(answer) == {
        *("answer", "sources", "citations", "latency_ms", "cached", "mode"),
        *("degraded", "request_id", "usage", "timings"),
    }
    assert answer["mode"] == "extractive"
    assert answer["cached"] == "none"
    assert answer["degraded"] == []
    assert answer["usage"] is None
    assert answer["latency_ms"] > 0
    assert {"embed", "retrieve"} <= set(answer["timings"])


def test_a_source_says_where_it_comes_from(service):
    source = ask(service.http, "How do I scale the API?")["sources"][0]
    assert source["doc_id"] == "scaling"
    assert source["text"] == SCALING
    assert source["metadata"] == {"source": "scaling.md", "page": 3}
    assert source["citation"] == 1
    assert 0.5 < source["score"] <= 1
    assert source["id"]


def test_three_sources_come_unless_another_number_is_asked_for(service):
    assert len(ask(service.http, "How do I scale the API?")["sources"]) == 3
    assert len(ask(service.http, "How do I scale the API?", top_k=1)["sources"]) == 1


def test_sources_come_best_first(service):
    scores = [s["score"] for s in ask(service.http, "When is high tide?", top_k=4)["sources"]]
    assert scores == sorted(scores, reverse=True)


def test_an_extract_says_that_it_is_one_and_cites_its_source(service):
    answer = ask(service.http, "What colour is a ripe banana?")["answer"]
    assert "not a written answer" in answer
    assert "A ripe banana is yellow and sweet. [1]" in answer


def test_a_chinese_question_is_answered_in_chinese(service):
    answer = ask(service.http, "成熟的香蕉是什么颜色？", top_k=1)
    assert texts(answer) == [CHINESE]
    assert "文档摘录" in answer["answer"]
    assert "黄色" in answer["answer"]


def test_blanks_around_a_question_do_not_count(service):
    first = ask(service.http, "Where do bananas grow?")
    again = ask(service.http, "  Where do\tbananas   grow? \n")
    assert again["cached"] == "exact"
    assert again["answer"] == first["answer"]


def test_a_question_of_1000_characters_is_taken(service):
    assert ask(service.http, "tide " * 199 + "tide?")["sources"]


def test_an_empty_collection_says_that_it_knows_nothing(run_service):
    answer = ask(run_service().http, "How do I scale the API?")
    assert "Nothing in the indexed documents answers" in answer["answer"]
    assert answer["sources"] == []


def test_passages_below_the_least_score_are_left_out(run_service):
    service = run_service(RAG_MIN_SCORE="0.4", RAG_TOP_K="5")
    index(service.http, SCALING, BANANAS, TIDES)
    assert texts(ask(service.http, "How do I scale the API?")) == [SCALING]


def test_the_request_id_of_the_caller_is_kept(service):
    given = {"X-Request-ID": "my-request.1"}
    response = service.http.post("/query", json={"question": "Why tides?"}, headers=given)
    assert response.json()["request_id"] == "my-request.1"
    assert response.headers["x-request-id"] == "my-request.1"


def test_a_request_id_that_could_forge_a_log_line_is_replaced(service):
    given = {"X-Request-ID": "id level=error forged"}
    response = service.http.post("/query", json={"question": "Why tides?"}, headers=given)
    assert response.headers["x-request-id"] != given["X-Request-ID"]
