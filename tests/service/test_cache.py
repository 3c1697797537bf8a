"""Answers that are kept: the same question twice, never a stale one, and no cache at all."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.service.api import BANANAS, SCALING, TIDES, ask, counter, index, texts
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"
PENGUINS = "The penguin is a bird that cannot fly."


@pytest.fixture(scope="module")
def _in_process(tmp_path_factory, model, _llm):
    settings = {"RAG_EMBEDDING_MODEL_DIR": str(model.folder), "OPENAI_BASE_URL": _llm.url}
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="module")
def _on_redis(tmp_path_factory, model, _llm, _redis):
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "OPENAI_BASE_URL": _llm.url,
        "REDIS_URL": _redis.start().url.replace("redis://", "redis://:the-password@"),
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def on_redis(_on_redis, redis_server, llm):
    """A service with an empty Redis of its own; the documents have just been indexed."""
    eventually(lambda: not ask(_on_redis.http, QUESTION)["degraded"], what="Redis is used")
    index(_on_redis.http, SCALING, BANANAS)
    llm.reset()
    return _on_redis


@pytest.fixture(params=["in the process", "redis"])
def cached(request, llm):
    """A service whose cache holds nothing yet."""
    if request.param == "redis":
        return request.getfixturevalue("on_redis")
    service = request.getfixturevalue("_in_process")
    index(service.http, SCALING, BANANAS)
    llm.reset()
    return service


def test_a_question_is_answered_once(cached, llm):
    hits = counter(cached.http, "rag_cache_lookups_total", found="exact")
    first, second = ask(cached.http, QUESTION), ask(cached.http, QUESTION)
    assert (first["cached"], second["cached"]) == ("none", "exact")
    for field in ("answer", "sources", "mode"):
        assert first[field] == second[field]
    assert second["usage"] is None
    assert second["request_id"] != first["request_id"]
    assert len(llm.calls) == 1
    assert counter(cached.http, "rag_cache_lookups_total", found="exact") == hits + 1


def test_another_number_of_sources_is_another_answer(cached):
    ask(cached.http, QUESTION, top_k=1)
    answer = ask(cached.http, QUESTION, top_k=2)
    assert answer["cached"] == "none"
    assert len(answer["sources"]) == 2


def test_the_cache_can_be_passed_by(cached, llm):
    ask(cached.http, QUESTION)
    assert ask(cached.http, QUESTION, use_cache=False)["cached"] == "none"
    assert len(llm.calls) == 2


def test_an_answer_never_outlives_the_documents_it_was_made_from(cached):
    question = "Which bird cannot fly?"
    assert PENGUINS not in texts(ask(cached.http, question))
    assert ask(cached.http, question)["cached"] == "exact"
    index(cached.http, PENGUINS)
    answer = ask(cached.http, question)
    assert answer["cached"] == "none"
    assert texts(answer)[0] == PENGUINS


async def test_an_answer_made_before_an_index_job_is_not_kept_after_it(cached, llm):
    """The question is asked before the job and answered after it: its answer is already old."""
    llm.delay = 3
    question = {"question": "What do the tides follow?"}
    async with httpx.AsyncClient(base_url=cached.url, timeout=30) as http:
        early = asyncio.create_task(http.post("/query", json=question))
        await asyncio.to_thread(eventually, lambda: llm.calls, what="the model is asked")
        await asyncio.to_thread(index, cached.http, TIDES)
        llm.delay = 0
        late = await http.post("/query", json=question)
        assert texts(late.json())[0] == TIDES  # and did not join the early one
        assert TIDES not in texts((await early).json())
        assert texts((await http.post("/query", json=question)).json())[0] == TIDES


async def test_a_hundred_equal_questions_cost_one_call_of_the_model(cached, llm):
    llm.delay = 1
    async with httpx.AsyncClient(base_url=cached.url, timeout=60) as http:
        responses = await asyncio.gather(
            *(http.post("/query", json={"question": QUESTION}) for _ in range(100))
        )
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["answer"] for response in responses}) == 1
    assert len({response.json()["request_id"] for response in responses}) == 100
    assert len(llm.calls) == 1


async def test_an_asker_who_leaves_takes_nothing_from_the_others(cached, llm):
    llm.delay = 2
    body = {"question": QUESTION}
    async with httpx.AsyncClient(base_url=cached.url, timeout=30) as http:
        first = asyncio.create_task(http.post("/query", json=body))
        await asyncio.to_thread(eventually, lambda: llm.calls, what="the model is asked")
        second = asyncio.create_task(http.post("/query", json=body))
        await asyncio.sleep(0.2)  # the second may join or come later; both must be answered
        first.cancel()
        assert (await second).json()["mode"] == "generated"
    assert len(llm.calls) == 1


def test_answers_expire(run_service):
    service = run_service(RAG_CACHE_TTL_SECONDS="1")
    index(service.http, SCALING)
    ask(service.http, QUESTION)
    assert ask(service.http, QUESTION)["cached"] == "exact"
    eventually(lambda: ask(service.http, QUESTION)["cached"] == "none", what="the answer expires")


def test_the_cache_can_be_switched_off(run_service):
    service = run_service(RAG_CACHE_ENABLED="false")
    index(service.http, SCALING)
    assert [ask(service.http, QUESTION)["cached"] for _ in range(2)] == ["none", "none"]


def test_another_model_gets_no_answers_of_the_first(run_service, llm, redis_server, tmp_path):
    settings = {"OPENAI_BASE_URL": llm.url, "REDIS_URL": redis_server.url}
    first = run_service(folder=tmp_path, RAG_LLM_MODEL="one", **settings)
    index(first.http, SCALING)
    ask(first.http, QUESTION)
    first.stop()
    second = run_service(folder=tmp_path, RAG_LLM_MODEL="two", **settings)
    assert ask(second.http, QUESTION)["cached"] == "none"


def test_a_dead_redis_costs_no_answer(on_redis, redis_server):
    before = counter(on_redis.http, "rag_degraded_total", part="cache")
    redis_server.kill()
    for _ in range(3):
        answer = ask(on_redis.http, QUESTION)
        assert (answer["mode"], answer["degraded"]) == ("generated", ["cache"])
    assert on_redis.http.get("/health/ready").status_code == 200
    assert on_redis.http.get("/health").json()["status"] == "degraded"
    assert counter(on_redis.http, "rag_degraded_total", part="cache") >= before + 3


def test_a_redis_that_comes_back_is_used_again(on_redis, redis_server):
    redis_server.kill()
    assert ask(on_redis.http, QUESTION)["degraded"] == ["cache"]
    redis_server.start()
    eventually(
        lambda: ask(on_redis.http, QUESTION)["cached"] == "exact", what="the cache works again"
    )


def test_a_dead_redis_takes_in_no_documents(on_redis, redis_server):
    redis_server.kill()
    response = on_redis.http.post("/index", json={"documents": [SCALING]})
    assert response.status_code == 503
    assert "Redis" in response.json()["detail"]
    assert int(response.headers["retry-after"]) > 0


async def test_equal_questions_share_the_model_while_redis_is_down(on_redis, redis_server, llm):
    redis_server.kill()
    llm.delay = 2
    async with httpx.AsyncClient(base_url=on_redis.url, timeout=60) as http:
        await asyncio.gather(*(http.post("/query", json={"question": QUESTION}) for _ in range(20)))
    assert len(llm.calls) == 1


def test_the_password_of_redis_stands_nowhere(on_redis, redis_server):
    redis_server.kill()
    ask(on_redis.http, QUESTION)
    assert "the-password" not in on_redis.log
    assert "the-password" not in on_redis.http.get("/health").text


def test_another_wording_has_the_same_answer_only_where_that_is_wanted(run_service, llm):
    service = run_service(OPENAI_BASE_URL=llm.url, RAG_SEMANTIC_CACHE_ENABLED="true")
    index(service.http, SCALING)
    assert ask(service.http, "How do I scale the API?")["cached"] == "none"
    assert ask(service.http, "How can I scale the API?")["cached"] == "semantic"
    assert ask(service.http, "How can I not scale the API?")["cached"] == "none"
    assert len(llm.calls) == 2
    index(service.http, BANANAS)  # another epoch
    assert ask(service.http, "How can I scale the API?")["cached"] == "none"
