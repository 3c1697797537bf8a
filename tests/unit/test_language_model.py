"""The language model's adapter, against a server over real HTTP: answers in pieces."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from ragdeploy_service.adapters.llm import OpenAIModel
from ragdeploy_service.rag.errors import LanguageModelUnavailable
from ragdeploy_service.rag.models import Usage
from ragdeploy_service.settings import ServiceSettings
from tests.support.llm import DEFAULT_ANSWER, Failure
from tests.support.waiting import eventually


@pytest.fixture
async def model(llm):
    model = OpenAIModel(ServiceSettings(llm_base_url=llm.url, llm_timeout_seconds=2))
    yield model
    await model.close()


async def heard(model):
    return [piece async for piece in model.stream("Why?")]


async def test_an_answer_comes_in_pieces_and_then_its_tokens(model):
    *pieces, usage = await heard(model)
    assert len(pieces) > 2
    assert "".join(pieces) == DEFAULT_ANSWER
    assert usage == Usage(prompt_tokens=100, completion_tokens=6)


@pytest.mark.parametrize("failure", [Failure.OVERLOADED, Failure.BROKEN, Failure.RATE_LIMITED])
async def test_a_failure_before_the_first_piece_is_tried_again(model, llm, failure):
    llm.fail(failure, times=1)
    assert "".join((await heard(model))[:-1]) == DEFAULT_ANSWER
    assert len(llm.calls) == 2


async def test_a_failure_after_the_first_piece_is_not(model, llm):
    llm.fail(Failure.BREAKS_OFF, times=1)
    answer = model.stream("Why?")
    assert DEFAULT_ANSWER.startswith(str(await anext(answer)))
    with pytest.raises(LanguageModelUnavailable):
        _ = [piece async for piece in answer]
    assert len(llm.calls) == 1


@pytest.mark.parametrize("failure", list(Failure))
async def test_whatever_the_server_does_it_is_the_model_that_is_unavailable(model, llm, failure):
    llm.fail(failure)
    with pytest.raises(LanguageModelUnavailable):
        await heard(model)


async def test_an_empty_answer_counts_as_none(model, llm):
    llm.answer = ""
    with pytest.raises(LanguageModelUnavailable):
        await heard(model)


async def test_the_deadline_is_for_the_whole_answer(model, llm):
    llm.answer = "word " * 100  # each in time, all together not
    llm.delay = 20
    with pytest.raises(LanguageModelUnavailable):
        await heard(model)
    await asyncio.to_thread(eventually, lambda: llm.abandoned == 1, what="the server is told")


async def test_an_answer_that_is_given_up_is_given_up_by_the_server_too(model, llm):
    llm.fail(Failure.STALLS)
    async with aclosing(model.stream("Why?")) as answer:
        assert await anext(answer)
    await asyncio.to_thread(eventually, lambda: llm.abandoned == 1, what="the server is told")


@pytest.mark.parametrize("failure", [Failure.STALLS, Failure.SILENCE])
async def test_a_caller_that_is_cancelled_takes_the_request_with_it(model, llm, failure):
    llm.fail(failure)
    caller = asyncio.create_task(heard(model))
    await asyncio.to_thread(eventually, lambda: llm.calls, what="the server is asked")
    caller.cancel()
    await asyncio.to_thread(eventually, lambda: llm.abandoned == 1, what="the server is told")
