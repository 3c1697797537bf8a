"""The service's API in the words of a test."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.service import ServiceProcess
from tests.support.waiting import PATIENCE, eventually

# Texts whose subjects no embedding model confuses.
SCALING = "The API scales with its replicas. Set spec.api.replicas to three for high load."
BANANAS = "Bananas grow in the tropics. A ripe banana is yellow and sweet."
TIDES = "The tides follow the moon. High tide comes about twice a day."
CHINESE = "香蕉生长在热带地区。成熟的香蕉是黄色的，味道很甜。"


def is_ready(service: ServiceProcess) -> bool:
    """Whether a service says that it can be sent questions."""
    return service.http.get("/health/ready").status_code == 200


def is_alive(service: ServiceProcess) -> bool:
    """Whether a service that may still be starting answers at all."""
    try:
        return service.http.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


def submit(http: httpx.Client, *documents: str, **fields: Any) -> str:
    """Hand documents in; the job's id."""
    response = http.post("/index", json={"documents": list(documents), **fields})
    assert response.status_code == 202, response.text
    job_id: str = response.json()["job_id"]
    return job_id


def index(http: httpx.Client, *documents: str, **fields: Any) -> dict[str, Any]:
    """Hand documents in and wait until they are indexed; the job as it ended."""
    return finished(http, submit(http, *documents, **fields))


def finished(http: httpx.Client, job_id: str, *, timeout: float = PATIENCE) -> dict[str, Any]:
    """Wait until a job has succeeded; how it ended."""
    last: dict[str, Any] = {}

    def ended() -> bool:
        nonlocal last
        last = job(http, job_id)
        assert last["state"] != "failed", last
        return last["state"] == "succeeded"

    eventually(ended, what=f"job {job_id} succeeds", timeout=timeout, interval=0.02)
    return last


def job(http: httpx.Client, job_id: str) -> dict[str, Any]:
    """What the service says about a job."""
    response = http.get(f"/jobs/{job_id}")
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ask(http: httpx.Client, question: str, **fields: Any) -> dict[str, Any]:
    """Ask a question that is answered."""
    response = http.post("/query", json={"question": question, **fields})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def texts(answer: dict[str, Any]) -> list[str]:
    """The texts of an answer's sources, best first."""
    return [source["text"] for source in answer["sources"]]


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that a response is problem details of this status, and return them."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    details: dict[str, Any] = response.json()
    assert details["status"] == status
    assert details["title"]
    assert details["detail"]
    assert details["type"].startswith("urn:ragdeploy:problem:")
    assert details["request_id"] == response.headers["x-request-id"]
    return details


def fields(details: dict[str, Any]) -> list[str]:
    """The fields that problem details name."""
    return [error["field"] for error in details["errors"]]


def counter(http: httpx.Client, name: str, **labels: str) -> float:
    """The value of one series at /metrics; 0 if it is not there."""
    wanted = ",".join(f'{key}="{value}"' for key, value in labels.items())
    series = f"{name}{{{wanted}}}" if labels else name
    for line in http.get("/metrics").text.splitlines():
        found, _, value = line.rpartition(" ")
        if found == series:
            return float(value)
    return 0.0
