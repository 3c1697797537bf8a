"""Replicas that are asked the same at the same time ask the language model once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.service.api import SCALING, index
from tests.support.waiting import eventually


@pytest.fixture
def pair(run_replica, llm):
    """Two replicas with a language model, and a document."""
    pair = [run_replica(OPENAI_BASE_URL=llm.url) for _ in range(2)]
    index(pair[0].http, SCALING)
    return pair


def put(replica, question, *, timeout=30):
    body = {"question": question}
    return httpx.post(f"{replica.url}/query", json=body, timeout=timeout, trust_env=False)


def test_a_hundred_equal_questions_to_two_replicas_are_one_call(pair, llm):
    llm.delay = 1
    with ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(put, pair[n % 2], "How do I scale it?") for n in range(100)]
        answers = [question.result() for question in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["answer"] for answer in answers}) == 1
    assert len(llm.calls) == 1


def test_a_replica_that_dies_while_it_asks_makes_way_for_the_other(pair, llm):
    llm.delay = 3
    one, two = pair
    with ThreadPoolExecutor(2) as pool:
        lost = pool.submit(put, one, "How do I scale the API when one dies?")
        eventually(lambda: len(llm.calls) == 1, what="the first replica asks the model")
        answered = pool.submit(put, two, "How do I scale the API when one dies?")
        one.process.kill()
        with pytest.raises(httpx.TransportError):
            lost.result()
        assert answered.result().json()["mode"] == "generated"
    assert len(llm.calls) == 2


def test_whoever_leaves_takes_nothing_from_the_other_replica(pair, llm):
    llm.delay = 2
    one, two = pair
    with ThreadPoolExecutor(2) as pool:
        impatient = pool.submit(put, one, "How do I scale the API when one leaves?", timeout=1)
        eventually(lambda: len(llm.calls) == 1, what="the first replica asks the model")
        patient = pool.submit(put, two, "How do I scale the API when one leaves?")
        with pytest.raises(httpx.TimeoutException):
            impatient.result()
        assert patient.result().json()["mode"] == "generated"
