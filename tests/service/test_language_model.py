"""Answers by a language model, and what is left when it is dead, slow, or refuses."""

from __future__ import annotations

import pytest

from tests.service.api import BANANAS, SCALING, TIDES, ask, counter, index
from tests.support.llm import DEFAULT_ANSWER, Failure
from tests.support.process import free_port
from tests.support.service import ServiceProcess

QUESTION = "How do I scale the API?"
PROMPTS = {"key": "anonymous", "kind": "prompt", "model": "stand-in", "tenant": "default"}


@pytest.fixture(scope="module")
def chatty(tmp_path_factory, model, _llm):
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "OPENAI_BASE_URL": _llm.url,
        "RAG_BREAKER_SECONDS": "0",  # each test has its own trouble
        "OPENAI_API_KEY": "the-llm-key",
        "RAG_LLM_MODEL": "stand-in",
        "RAG_LLM_TIMEOUT_SECONDS": "3",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        index(service.http, SCALING, BANANAS, TIDES)
        yield service


def fresh(service):
    return ask(service.http, QUESTION, use_cache=False)


def assert_extractive(answer):
    assert answer["mode"] == "extractive"
    assert answer["degraded"] == ["llm"]
    assert "not a written answer" in answer["answer"]
    assert answer["sources"][0]["text"] == SCALING
    assert answer["usage"] is None


def test_the_model_writes_the_answer(chatty, llm):
    answer = fresh(chatty)
    assert answer["answer"] == DEFAULT_ANSWER
    assert answer["mode"] == "generated"
    assert answer["degraded"] == []
    assert answer["usage"]["prompt_tokens"] == 100
    assert answer["usage"]["completion_tokens"] > 0


def test_the_model_is_given_the_question_and_the_numbered_passages(chatty, llm):
    fresh(chatty)
    [call] = llm.calls
    prompt = call.messages[0]["content"]
    assert QUESTION in prompt
    assert SCALING in prompt
    assert "[1]" in prompt
    assert call.body["model"] == "stand-in"
    assert call.authorization == "Bearer the-llm-key"


def test_each_prompt_has_a_fence_of_its_own(chatty, llm):
    fresh(chatty)
    fresh(chatty)
    first, second = (call.messages[0]["content"] for call in llm.calls)
    assert first != second


def test_an_empty_collection_does_not_trouble_the_model(run_service, llm):
    service = run_service(OPENAI_BASE_URL=llm.url)
    assert ask(service.http, QUESTION)["mode"] == "extractive"
    assert llm.calls == []


@pytest.mark.parametrize("failure", [Failure.OVERLOADED, Failure.BROKEN, Failure.RATE_LIMITED])
def test_a_failure_that_may_pass_is_retried(chatty, llm, failure):
    llm.fail(failure, times=1)
    assert fresh(chatty)["mode"] == "generated"
    assert len(llm.calls) == 2


def test_the_model_is_asked_as_often_as_the_settings_say(chatty, llm):
    llm.fail(Failure.OVERLOADED)
    assert_extractive(fresh(chatty))
    assert len(llm.calls) == 3  # RAG_LLM_MAX_RETRIES is 2, and no layer below adds its own


@pytest.mark.parametrize("failure", [Failure.UNAUTHORIZED, Failure.REFUSED])
def test_a_refusal_is_not_repeated(chatty, llm, failure):
    llm.fail(failure)
    assert_extractive(fresh(chatty))
    assert len(llm.calls) == 1


@pytest.mark.parametrize("failure", list(Failure))
def test_whatever_the_model_does_there_is_an_answer(chatty, llm, failure):
    llm.fail(failure)
    assert_extractive(fresh(chatty))


def test_an_empty_answer_counts_as_none(chatty, llm):
    llm.answer = ""
    assert_extractive(fresh(chatty))


def test_a_slow_model_is_given_up_after_its_deadline(chatty, llm):
    llm.delay = 30
    answer = fresh(chatty)
    assert_extractive(answer)
    # RAG_LLM_TIMEOUT_SECONDS is 3; an event loop rounds its timers down to its clock's resolution
    assert 2900 <= answer["timings"]["generate"] < 20_000


def test_no_model_at_the_address_is_an_extract(run_service):
    service = run_service(OPENAI_BASE_URL=f"http://127.0.0.1:{free_port()}/v1")
    index(service.http, SCALING)
    assert_extractive(fresh(service))


def test_a_refused_key_is_logged_with_the_remedy(chatty, llm):
    llm.api_key = "another-key"
    fresh(chatty)
    assert "RAG_LLM_API_KEY" in chatty.log
    assert "the-llm-key" not in chatty.log


def test_a_degraded_answer_is_not_kept(chatty, llm):
    question = "Which fruit is yellow and sweet?"
    llm.fail(Failure.OVERLOADED)
    assert ask(chatty.http, question)["degraded"] == ["llm"]
    llm.recover()
    answer = ask(chatty.http, question)
    assert (answer["mode"], answer["cached"]) == ("generated", "none")


def test_degraded_answers_and_tokens_are_counted(chatty, llm):
    before = counter(chatty.http, "rag_degraded_total", part="llm")
    tokens = counter(chatty.http, "rag_llm_tokens_total", **PROMPTS)
    fresh(chatty)
    llm.fail(Failure.REFUSED)
    fresh(chatty)
    assert counter(chatty.http, "rag_degraded_total", part="llm") == before + 1
    assert counter(chatty.http, "rag_llm_tokens_total", **PROMPTS) == tokens + 100


def test_the_service_is_ready_without_its_model(chatty, llm):
    llm.fail(Failure.SILENCE)
    assert chatty.http.get("/health/ready").status_code == 200
    assert chatty.http.get("/health").json()["status"] == "healthy"
    assert llm.calls == []
