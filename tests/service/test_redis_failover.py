"""The master of Redis is killed under a service that indexes and answers."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.service.api import SCALING, ask, finished, index, texts
from tests.support.waiting import eventually

REQUESTS = 12


@pytest.fixture
def service(run_service, watched):
    return run_service(REDIS_URL=watched.url, RAG_RATE_LIMIT_REQUESTS_PER_MINUTE="0")


def hand_in(service, number):
    """Send documents until they are taken in; the job's id."""

    def accepted():
        response = service.http.post(
            "/index",
            json={"documents": [f"Fact {number}."], "ids": [str(number)]},
            headers={"Idempotency-Key": f"fact-{number}"},
        )
        assert response.status_code in {202, 503}, response.text
        return response.json().get("job_id")

    return eventually(accepted, what=f"request {number} is accepted", timeout=90, interval=0.3)


def test_the_service_goes_on_with_the_next_master(service, watched):
    index(service.http, SCALING)
    question = "How do I scale the API?"
    ask(service.http, question)
    assert ask(service.http, question)["cached"] == "exact"
    over, answers = threading.Event(), []

    def ask_on():
        with httpx.Client(base_url=service.url, timeout=30, trust_env=False) as http:
            while not over.is_set():
                answers.append(http.post("/query", json={"question": f"What is {time.time()}?"}))

    with ThreadPoolExecutor(REQUESTS + 1) as pool:
        asking = pool.submit(ask_on)
        jobs = [hand_in(service, number) for number in range(REQUESTS // 2)]
        killed = watched.kill_master()
        late = [pool.submit(hand_in, service, n) for n in range(REQUESTS // 2, REQUESTS)]
        jobs += [job.result() for job in late]
        watched.wait_other_master(killed)
        for job_id in jobs:  # of those that were taken in, none is lost with the master
            eventually(
                lambda job_id=job_id: service.http.get(f"/jobs/{job_id}").status_code == 200,
                what=f"job {job_id} to be known to the next master",
            )
            finished(service.http, job_id, timeout=120)
        over.set()
        asking.result()
    assert {answer.status_code for answer in answers} == {200}
    degraded = [answer for answer in answers if answer.json()["degraded"] == ["cache"]]
    assert degraded, "the answers made without a cache say so"
    for number in range(REQUESTS):
        found = service.http.get(f"/collections/documents/documents/{number}")
        assert found.json()["text"] == f"Fact {number}."
    # Nothing from before the documents came, and the cache works again.
    fresh = eventually(
        lambda: (a := ask(service.http, "What is fact 11?"))["cached"] == "exact" and a,
        what="an answer from the cache of the next master",
    )
    assert "Fact 11." in texts(fresh)
