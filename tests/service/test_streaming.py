"""Answers as server-sent events, and what happens when somebody leaves."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager

import httpx
import pytest

from tests.service.api import BANANAS, SCALING, TIDES, ask, index, problem
from tests.service.sse import Event, events, text
from tests.support.llm import DEFAULT_ANSWER, Failure
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


@pytest.fixture(scope="module")
def _chatty(tmp_path_factory, model, _llm):
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "OPENAI_BASE_URL": _llm.url,
        "RAG_BREAKER_SECONDS": "0",  # each test has its own trouble
        "RAG_LLM_TIMEOUT_SECONDS": "20",
        "RAG_STREAM_KEEP_ALIVE_SECONDS": "0.2",
        "RAG_MAX_STREAMS": "4",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def chatty(_chatty, llm):
    """A service with a language model, and nothing in its cache."""
    index(_chatty.http, SCALING, BANANAS, TIDES)
    llm.reset()
    return _chatty


@contextmanager
def opened(service, question=QUESTION, **fields):
    body = {"question": question, "stream": True, **fields}
    with service.http.stream("POST", "/query", json=body) as response:
        yield response


def heard(service, question=QUESTION, **fields) -> list[Event]:
    """All events of an answer, comments left out."""
    with opened(service, question, **fields) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return [event for event in events(response.iter_lines()) if event.name]


def names(found):
    return list(dict.fromkeys(event.name for event in found))


def test_an_answer_comes_in_pieces_between_its_sources_and_its_end(chatty):
    found = heard(chatty)
    assert names(found) == ["search_results", "message", "citation", "final_answer"]
    assert len([event for event in found if event.name == "message"]) > 2
    assert text(found) == DEFAULT_ANSWER


def test_the_end_has_what_the_answer_without_stream_has(chatty):
    final = heard(chatty, use_cache=False)[-1].data
    whole = ask(chatty.http, QUESTION, use_cache=False)
    assert set(final) == set(whole)
    for field in ("answer", "sources", "citations", "mode", "degraded", "usage", "cached"):
        assert final[field] == whole[field]
    assert final["usage"]["prompt_tokens"] == 100


def test_the_first_event_has_the_sources(chatty):
    found = heard(chatty)
    assert found[0].data["sources"] == found[-1].data["sources"]
    assert found[0].data["sources"][0]["text"] == SCALING


def test_a_source_is_named_where_it_is_cited_first(chatty, llm):
    llm.answer = "It scales [2] and [1], says [2], not [9]."
    found = heard(chatty)
    cited = [event.data for event in found if event.name == "citation"]
    sources = found[0].data["sources"]
    assert [entry["citation"] for entry in cited] == [2, 1]
    assert cited[0]["id"] == sources[1]["id"]
    assert cited[0]["doc_id"] == sources[1]["doc_id"]
    assert found[-1].data["citations"] == [2, 1]
    assert text(found) == "It scales [2] and [1], says [2], not."


def test_streamed_answers_are_kept_for_those_who_do_not_stream_and_the_other_way_round(chatty, llm):
    assert heard(chatty)[-1].data["cached"] == "none"
    assert ask(chatty.http, QUESTION)["cached"] == "exact"
    other = "When is high tide?"
    ask(chatty.http, other)
    with opened(chatty, other) as response:
        assert response.headers["x-cache"] == "exact"
        found = list(events(response.iter_lines()))
    assert found[-1].data["cached"] == "exact"
    assert text(found) == found[-1].data["answer"] == DEFAULT_ANSWER
    assert len(llm.calls) == 2


def test_without_an_answer_of_the_model_the_extract_is_streamed(chatty, llm):
    llm.fail(Failure.REFUSED)
    found = heard(chatty, "Where do bananas grow?")  # there is no older answer to give
    final = found[-1].data
    assert (final["mode"], final["degraded"]) == ("extractive", ["llm"])
    assert text(found) == final["answer"]


def test_a_model_that_breaks_off_is_replaced_by_an_extract(chatty, llm):
    llm.fail(Failure.BREAKS_OFF)
    question = "What colour is a ripe banana?"
    found = heard(chatty, question)
    final = found[-1].data
    assert DEFAULT_ANSWER.startswith(text(found))
    assert (final["mode"], final["degraded"]) == ("extractive", ["llm"])
    llm.recover()
    assert ask(chatty.http, question)["cached"] == "none"


def test_an_older_answer_replaces_one_that_breaks_off(chatty, llm):
    question = "How often is high tide?"
    llm.answer = "Twice a day [1]."
    heard(chatty, question)
    index(chatty.http, TIDES)
    llm.answer = "About twice in a day and a night [1]."
    llm.fail(Failure.BREAKS_OFF)
    final = heard(chatty, question)[-1].data
    assert (final["answer"], final["cached"]) == ("Twice a day [1].", "stale")
    assert final["degraded"] == ["llm"]


def test_what_is_wrong_before_the_first_event_has_a_status(chatty):
    body = {"question": QUESTION, "stream": True}
    problem(chatty.http.post("/query", json=body | {"collection": "elsewhere"}), 404)
    problem(chatty.http.post("/query", json=body | {"top_k": 0}), 422)


def test_silence_is_kept_alive_with_comments(chatty, llm):
    llm.fail(Failure.STALLS)
    with opened(chatty) as response:
        found = events(response.iter_lines())
        assert next(event for event in found if not event.name)


@pytest.mark.parametrize("failure", [Failure.STALLS, Failure.SILENCE])
@pytest.mark.parametrize("stream", [True, False])
async def test_who_leaves_takes_the_call_of_the_model_with_them(chatty, llm, failure, stream):
    llm.fail(failure)
    body = {"question": QUESTION, "stream": stream}
    async with httpx.AsyncClient(base_url=chatty.url, timeout=30) as http:
        asker = asyncio.create_task(http.post("/query", json=body))
        await asyncio.to_thread(eventually, lambda: llm.calls, what="the model is asked")
        asker.cancel()
        gone = lambda: llm.abandoned == 1  # noqa: E731
        await asyncio.to_thread(eventually, gone, what="the model is told to stop", timeout=10)


async def test_one_who_leaves_takes_nothing_from_the_others(chatty, llm):
    llm.answer = "word " * 20
    llm.delay = 4
    body = {"question": QUESTION, "stream": True}
    async with httpx.AsyncClient(base_url=chatty.url, timeout=30) as http:

        async def read(response):
            lines = [line async for line in response.aiter_lines()]
            return list(events(lines))

        async with http.stream("POST", "/query", json=body) as leaving:
            async for line in leaving.aiter_lines():
                if line == "event: message":
                    break
            async with http.stream("POST", "/query", json=body) as staying:
                whole = asyncio.create_task(http.post("/query", json=body | {"stream": False}))
                assert llm.abandoned == 0
                await leaving.aclose()
                found = await read(staying)
        assert text(found) == found[-1].data["answer"] == ("word " * 20).strip()
        assert (await whole).json()["answer"] == found[-1].data["answer"]
    assert len(llm.calls) == 1
    assert llm.abandoned == 0


def test_more_streams_than_the_service_has_room_for_are_sent_away(chatty, llm):
    llm.fail(Failure.STALLS)
    streams = [opened(chatty, use_cache=False) for _ in range(4)]
    for stream in streams:
        assert stream.__enter__().status_code == 200
    refused = chatty.http.post("/query", json={"question": QUESTION, "stream": True})
    assert "4 answers" in problem(refused, 503)["detail"]
    assert int(refused.headers["retry-after"]) > 0
    llm.recover()
    assert ask(chatty.http, QUESTION)["mode"] == "generated"
    for stream in streams:
        stream.__exit__(None, None, None)
    eventually(lambda: heard(chatty)[-1].data["mode"], what="there is room again")


def test_answers_say_where_the_time_went_and_whether_they_were_kept(chatty):
    first, again = (chatty.http.post("/query", json={"question": QUESTION}) for _ in range(2))
    assert (first.headers["x-cache"], again.headers["x-cache"]) == ("none", "exact")
    stages = [entry.partition(";dur=")[0] for entry in first.headers["server-timing"].split(", ")]
    assert {"embed", "retrieve", "generate", "total"} <= set(stages)
    found = chatty.http.post("/retrieve", json={"question": QUESTION})
    assert "retrieve;dur=" in found.headers["server-timing"]


def test_a_stream_that_was_begun_is_finished_in_the_drain(run_service, llm):
    service = run_service(OPENAI_BASE_URL=llm.url)
    index(service.http, SCALING)
    llm.delay = 3
    with opened(service) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: search_results"
        service.process.signal(signal.SIGTERM)
        found = list(events(lines))
    assert found[-1].name == "final_answer"
    assert found[-1].data["mode"] == "generated"
    assert service.process.wait() == 0


def test_a_deadline_is_for_streams_too(chatty, llm):
    llm.fail(Failure.STALLS)
    found = heard(chatty, "What do the tides follow?", timeout_ms=1500, use_cache=False)
    final = found[-1]
    assert final.name == "final_answer"
    assert (final.data["mode"], final.data["degraded"]) == ("extractive", ["llm"])
    eventually(lambda: llm.abandoned == 1, what="the model is told to stop")
