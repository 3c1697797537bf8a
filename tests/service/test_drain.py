"""The end of a service: nothing that was begun is cut off."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx

from tests.service.api import SCALING, ask, finished, index, problem, submit, texts
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


@asynccontextmanager
async def a_question_under_way(service, llm, *, seconds):
    """A request that the model takes its time for; it has begun."""
    await asyncio.to_thread(index, service.http, SCALING)
    llm.delay = seconds
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:
        running = asyncio.create_task(http.post("/query", json={"question": QUESTION}))
        await asyncio.to_thread(eventually, lambda: llm.calls, what="the model is asked")
        yield running


async def test_a_running_request_is_answered_and_the_probe_fails_first(run_service, llm):
    # Not on loopback alone, as in a cluster; there new connections are served a moment longer.
    service = run_service(OPENAI_BASE_URL=llm.url, RAG_HOST="0.0.0.0", RAG_AUTH_ENABLED="false")
    async with a_question_under_way(service, llm, seconds=3) as running:
        service.process.signal(signal.SIGTERM)

        def draining():
            response = httpx.get(f"{service.url}/health/ready")
            return response if response.status_code == 503 else None

        probe = await asyncio.to_thread(eventually, draining, what="the probe fails")
        assert "shutting down" in problem(probe, 503)["detail"]
        assert (await running).json()["mode"] == "generated"
    assert await asyncio.to_thread(service.process.wait) == 0


async def test_clients_are_asked_to_close_the_connections_they_keep(run_service, llm):
    service = run_service(OPENAI_BASE_URL=llm.url, RAG_HOST="0.0.0.0", RAG_AUTH_ENABLED="false")
    async with (
        httpx.AsyncClient(base_url=service.url) as kept,
        a_question_under_way(service, llm, seconds=3) as running,
    ):
        assert "connection" not in (await kept.get("/health/live")).headers
        service.process.signal(signal.SIGTERM)
        while (await kept.get("/health/ready")).status_code == 200:
            pass
        assert (await kept.get("/health/live")).headers["connection"] == "close"
        assert (await running).headers["connection"] == "close"


async def test_a_request_that_takes_too_long_ends_with_the_drain(run_service, llm):
    service = run_service(OPENAI_BASE_URL=llm.url, RAG_DRAIN_SECONDS="1")
    async with a_question_under_way(service, llm, seconds=25) as running:
        service.process.signal(signal.SIGTERM)
        await asyncio.to_thread(service.process.wait, timeout=15)
        await asyncio.gather(running, return_exceptions=True)


def test_a_service_alone_keeps_the_jobs_that_it_did_not_come_to(run_service, tmp_path):
    service = run_service(folder=tmp_path, RAG_DRAIN_SECONDS="0")
    jobs = [submit(service.http, f"The number of the house is {n}.") for n in range(20)]
    service.stop()
    again = run_service(folder=tmp_path)
    # The job that was being done was handed back, so that its attempt does not count.
    assert {finished(again.http, job_id)["attempts"] for job_id in jobs} == {1}
    found = texts(ask(again.http, "What is the number of the house?", top_k=50))
    assert len(found) == 20


HANGS_AT_ITS_END = """
import time
import uvicorn
from ragdeploy_service import server
from ragdeploy_service.lifecycle import Drain

server._CLOSING_SECONDS = 0.5

def hang():
    time.sleep(600)

async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    print("up", flush=True)
    await receive()
    hang()

config = uvicorn.Config(app, port=0, log_level="warning")
server.DrainingServer(config, drain=Drain(seconds=0), lingers=False).run()
"""


def test_a_service_that_hangs_at_its_end_says_where_and_ends():
    with subprocess.Popen(
        [sys.executable, "-c", HANGS_AT_ITS_END],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout.readline() == "up\n"
        service.terminate()
        _, told = service.communicate(timeout=60)
    assert service.returncode == 1
    assert "in hang" in told
