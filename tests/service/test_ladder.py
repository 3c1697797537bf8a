"""What is answered while a part is stopped, slow, or refuses: the next best thing, and in time."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.service.api import BANANAS, SCALING, ask, counter, index, is_ready, problem
from tests.support.llm import DEFAULT_ANSWER, Failure
from tests.support.milvus import MilvusLiteServer
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    server = MilvusLiteServer(tmp_path_factory.mktemp("milvus")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def _service(tmp_path_factory, model, _redis, _llm, store):
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "MILVUS_URI": store.uri,
        "REDIS_URL": _redis.start().url,
        "OPENAI_BASE_URL": _llm.url,
        "RAG_LLM_MAX_RETRIES": "0",
        "RAG_LLM_TIMEOUT_SECONDS": "20",
        "RAG_MAX_QUESTIONS": "4",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def service(_service, store, redis_server, llm):
    """A service with all its parts, which are there again after the test."""
    yield _service
    if not store.process.running:
        store.start()
    llm.reset()
    whole = {"degraded": [], "mode": "generated"}
    eventually(
        lambda: ask(_service.http, QUESTION, use_cache=False).items() >= whole.items(),
        what="the service is whole again",
    )


@contextmanager
def hung(process):
    """A process that is there and does nothing."""
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


def answer_from_before(service, question):
    """Let a question have an answer, and then documents that it does not know."""
    index(service.http, SCALING)
    assert ask(service.http, question)["degraded"] == []
    index(service.http, BANANAS)


def is_stale(answer, *degraded):
    return (answer["cached"], answer["degraded"]) == ("stale", list(degraded))


# ---- the vector store ----


def test_an_answer_from_before_is_given_while_the_vector_store_is_gone(service, store):
    question = "How do I scale it while the store is gone?"
    answer_from_before(service, question)
    store.kill()
    answer = ask(service.http, question)
    assert is_stale(answer, "vector_store")
    assert answer["answer"] == DEFAULT_ANSWER
    problem(service.http.post("/query", json={"question": question, "use_cache": False}), 503)


def test_a_service_without_its_store_stays_ready_so_that_it_is_still_asked(service, store):
    """Were all pods taken out of their Service, connections would be refused."""
    question = "How do I scale it in a long outage?"
    answer_from_before(service, question)
    store.kill()
    noticed = "the vector store cannot be used"
    eventually(lambda: noticed in service.log, what="the service has noticed")
    assert is_ready(service)
    assert is_stale(ask(service.http, question), "vector_store")


def test_an_answer_from_before_is_given_while_the_vector_store_hangs(service, store):
    question = "How do I scale it while the store hangs?"
    answer_from_before(service, question)
    with hung(store.process):
        answer = ask(service.http, question, timeout_ms=1000)
        assert is_stale(answer, "vector_store")
        assert answer["latency_ms"] < 1000
        response = service.http.post(
            "/query", json={"question": "Is there no answer yet?", "timeout_ms": 1000}
        )
        details = problem(response, 504)
        assert details["stage"] == "retrieve"
        assert int(response.headers["retry-after"]) > 0


def test_who_must_know_the_latest_documents_gets_no_stale_answer(service, store):
    question = "How do I scale it with the latest documents?"
    answer_from_before(service, question)
    store.kill()
    response = service.http.post("/query", json={"question": question, "min_epoch": 1})
    problem(response, 503)
    assert int(response.headers["retry-after"]) > 0


def test_what_was_deleted_is_not_told_by_a_stale_answer_either(service, store):
    question = "How do I scale it after it was deleted?"
    index(service.http, SCALING, ids=["scaling"])
    assert ask(service.http, question)["degraded"] == []
    assert service.http.delete("/collections/documents/documents/scaling").status_code == 204
    store.kill()
    problem(service.http.post("/query", json={"question": question}), 503)


def test_a_vector_store_that_keeps_failing_is_left_alone_and_found_again(service, store):
    body = {"question": QUESTION, "timeout_ms": 20_000}
    with hung(store.process):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: service.http.post("/retrieve", json=body), range(3)))
        response = service.http.post("/retrieve", json=body)
        assert "left alone" in problem(response, 503)["detail"]
        assert response.elapsed.total_seconds() < 1
    eventually(
        lambda: service.http.post("/retrieve", json=body).status_code == 200, what="it is found"
    )


# ---- the language model ----


def test_an_answer_from_before_is_given_while_the_model_refuses(service, llm):
    question = "How do I scale it while the model is overloaded?"
    answer_from_before(service, question)
    llm.fail(Failure.OVERLOADED)
    answer = ask(service.http, question)
    assert is_stale(answer, "llm")
    assert answer["mode"] == "generated"


def test_passages_are_quoted_in_time_while_the_model_is_silent(service, llm):
    index(service.http, SCALING)
    llm.fail(Failure.SILENCE)
    answer = ask(service.http, "How is the API scaled by whom?", timeout_ms=1500)
    assert (answer["mode"], answer["degraded"]) == ("extractive", ["llm"])
    assert answer["latency_ms"] < 1500


def test_an_answer_from_before_is_better_than_a_quotation(service, llm):
    question = "How do I scale it while the model is silent?"
    answer_from_before(service, question)
    llm.fail(Failure.SILENCE)
    assert is_stale(ask(service.http, question, timeout_ms=1500), "llm")


def test_a_model_that_keeps_failing_is_left_alone_and_found_again(service, llm):
    index(service.http, SCALING)
    llm.fail(Failure.OVERLOADED)

    def mode():
        return ask(service.http, QUESTION, use_cache=False)["mode"]

    for _ in range(8):
        assert mode() == "extractive"
    assert len(llm.calls) == 5
    llm.recover()
    eventually(lambda: mode() == "generated", what="the model is asked again")


# ---- Redis ----


@pytest.mark.parametrize("trouble", ["gone", "hung"])
def test_questions_are_answered_without_redis(service, redis_server, trouble):
    index(service.http, SCALING)
    if trouble == "gone":
        redis_server.kill()
        answer = ask(service.http, QUESTION)
    else:
        with hung(redis_server.process):
            answer = ask(service.http, QUESTION)
    assert (answer["mode"], answer["degraded"]) == ("generated", ["cache"])


# ---- too much at once ----


def test_more_questions_than_the_service_can_hold_are_sent_away(service, llm):
    index(service.http, SCALING)
    llm.delay = 2

    def status(number):
        body = {"question": f"How do I scale the API {number} times?"}
        return httpx.post(f"{service.url}/query", json=body, timeout=30, trust_env=False)

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(status, range(8)))
    assert sorted(r.status_code for r in responses) == [200] * 4 + [503] * 4
    refused = next(r for r in responses if r.status_code == 503)
    assert int(refused.headers["retry-after"]) > 0
    assert "4 questions" in problem(refused, 503)["detail"]


def test_what_was_done_without_is_counted(service, llm):
    index(service.http, SCALING)
    before = counter(service.http, "rag_degraded_total", part="llm")
    llm.fail(Failure.BROKEN)
    ask(service.http, QUESTION, use_cache=False)
    assert counter(service.http, "rag_degraded_total", part="llm") == before + 1
