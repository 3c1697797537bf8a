"""Whatever is killed, and whenever: what was accepted is there at the end, once."""

from __future__ import annotations

import random
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service.api import job
from tests.support.llm import Failure
from tests.support.milvus import MilvusLiteServer
from tests.support.redis import RedisServer
from tests.support.waiting import eventually

SEED = 20231
REQUESTS, DOCUMENTS = 40, 5
TROUBLES = 8

# Long enough that a worker which is killed holds a job.
REST = "Nobody loses it, whatever is killed, and whenever that happens. " * 30


@pytest.fixture
def redis(tmp_path):
    """A Redis that keeps what it has confirmed, as one with a volume does."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on PATH")
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(Path(program), folder, durable=True).start()
    yield server
    server.stop()


@pytest.fixture
def world(run_service, milvus, redis, llm, tmp_path):
    return World(run_service, milvus, redis, llm)


class World:
    """Two replicas and all they rest on, each of which can be killed and comes back."""

    def __init__(self, run_service, milvus: MilvusLiteServer, redis: RedisServer, llm) -> None:
        self.milvus, self.redis, self.llm = milvus, redis, llm
        settings = {
            "MILVUS_URI": milvus.uri,
            "REDIS_URL": redis.url,
            "OPENAI_BASE_URL": llm.url,
            "RAG_LLM_MAX_RETRIES": "0",
        }
        self.replicas = [run_service(**settings) for _ in range(2)]
        self.begun = [threading.Event() for _ in range(TROUBLES)]
        self.over = threading.Event()

    def make_trouble(self, chance: random.Random) -> None:
        """Kill something at a random moment, and let it come back a little later."""
        victims = [self.milvus, self.redis, self.redis, self.llm, *self.replicas, *self.replicas]
        chance.shuffle(victims)
        for begun, victim in zip(self.begun, victims, strict=True):
            begun.set()
            eventually(self.works, what="a job runs")
            time.sleep(chance.uniform(0, 1))
            if victim is self.llm:
                self.llm.fail(chance.choice(list(Failure)), times=3)
                continue
            victim.process.kill()
            time.sleep(chance.uniform(0, 0.5))
            victim.start()
        self.over.set()

    def works(self) -> bool:
        """Whether a job runs."""
        response = self.replicas[0].http.get("/jobs", params={"state": "running"})
        return response.status_code == 200 and bool(response.json()["jobs"])

    def hand_in(self, number: int) -> str:
        """Send a request, again and again with its key, until it is accepted; the job's id.

        An equal share of them comes shortly before each trouble.
        """
        self.begun[number * TROUBLES // REQUESTS].wait(60)
        chance = random.Random(SEED + number)
        body = {
            "documents": [f"Fact {number}.{n}. {REST}" for n in range(DOCUMENTS)],
            "ids": [f"{number}.{n}" for n in range(DOCUMENTS)],
        }

        def accepted():
            try:
                response = httpx.post(
                    f"{chance.choice(self.replicas).url}/index",
                    json=body,
                    headers={"Idempotency-Key": f"request-{number}"},
                    timeout=20,
                    trust_env=False,
                )
            except httpx.TransportError:
                return None
            assert response.status_code in {202, 503}, response.text
            return response.json()["job_id"] if response.status_code == 202 else None

        return eventually(accepted, what=f"request {number} is accepted", timeout=60, interval=0.3)

    def ask_on(self) -> set[int]:
        """Ask until the trouble is over; the statuses of the answers."""
        seen = set()
        while not self.over.is_set():
            for replica in self.replicas:
                body = {"question": f"Which fact is lost at {time.time()}?", "timeout_ms": 2000}
                try:
                    response = httpx.post(
                        f"{replica.url}/query", json=body, timeout=20, trust_env=False
                    )
                except httpx.TransportError:
                    continue
                seen.add(response.status_code)
        return seen

    def indexed(self) -> list[str]:
        """Ids of all documents that are there."""
        ids, page = [], None
        while True:
            params = {"limit": 100} | ({"page": page} if page else {})
            answer = self.replicas[0].http.get("/collections/documents/documents", params=params)
            ids += [document["id"] for document in answer.json()["documents"]]
            page = answer.json()["next_page"]
            if page is None:
                return ids


def test_every_accepted_document_is_there_once_whatever_was_killed(world):
    with ThreadPoolExecutor(8) as pool:
        # In this thread, because programs end with the thread that started them.
        requests = [pool.submit(world.hand_in, number) for number in range(REQUESTS)]
        questions = pool.submit(world.ask_on)
        world.make_trouble(random.Random(SEED))
        jobs = [request.result() for request in requests]
        # 404: the store was killed before the first document made the collection.
        assert questions.result() <= {200, 404, 503, 504}
    assert len(set(jobs)) == REQUESTS
    http = world.replicas[0].http
    for job_id in jobs:
        eventually(
            lambda job_id=job_id: job(http, job_id)["state"] == "succeeded",
            what=f"job {job_id} succeeds",
            timeout=60,
            interval=0.2,
        )
    everything = sorted(f"{r}.{n}" for r in range(REQUESTS) for n in range(DOCUMENTS))
    assert sorted(world.indexed()) == everything
    chunks = http.get("/health").json()["parts"]["vector_store"]["chunks"]
    assert chunks % len(everything) == 0  # all have as many
    for document_id in everything:
        text = http.get(f"/collections/documents/documents/{document_id}").json()["text"]
        assert text.strip() == f"Fact {document_id}. {REST}".strip()
