"""What people, Kubernetes and Prometheus can see of the service."""

from __future__ import annotations

import httpx
import pytest

from tests.service.api import SCALING, ask, counter, index
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


def test_a_running_service_is_alive_ready_and_healthy(service):
    assert service.http.get("/health/live").json() == {"status": "alive"}
    assert service.http.get("/health/ready").json() == {"status": "ready"}
    health = service.http.get("/health").json()
    assert health["status"] == "healthy"
    assert set(health["parts"]) == {
        "embedder",
        "reranker",
        "vector_store",
        "cache",
        "jobs",
        "llm",
    }


def test_health_counts_the_chunks(service):
    before = service.http.get("/health").json()["parts"]["vector_store"]["chunks"]
    index(service.http, "Clouds are made of water.", "Fog is a cloud on the ground.")
    assert service.http.get("/health").json()["parts"]["vector_store"]["chunks"] == before + 2


def test_documents_are_counted_over_all_collections_for_who_has_no_key(service):
    def counted():
        anonymous = httpx.get(f"{service.url}/health/index")
        return anonymous.json()["documents"], anonymous.json()["generation"]

    before, generation = counted()
    index(service.http, "Rain falls.", "Snow falls too. " * 200)
    index(service.http, "Hail hurts.", collection="weather")
    eventually(lambda: counted() == (before + 3, generation), what="three more documents")
    assert counter(service.http, "rag_documents") == before + 3
    service.http.delete("/collections/weather")


@pytest.mark.parametrize(
    ("route", "path", "question"),
    [
        ("/query", "/query", {"question": QUESTION}),
        ("/retrieve", "/retrieve", {"question": QUESTION}),
        (
            "/v1/chat/completions",
            "/v1/chat/completions",
            {"model": "ragdeploy", "messages": [{"role": "user", "content": QUESTION}]},
        ),
        (
            "/v1/vector_stores/{vector_store_id}/search",
            "/v1/vector_stores/documents/search",
            {"query": QUESTION},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_questions_are_counted_by_route_and_outcome(service, route, path, question):
    index(service.http, SCALING)

    def counted() -> dict[str, float]:
        outcomes = {
            outcome: counter(service.http, "rag_requests_total", route=route, status=outcome)
            for outcome in ("success", "rejected", "error")
        }
        timed = counter(service.http, "rag_request_latency_seconds_count", route=route)
        return {**outcomes, "timed": timed}

    before = counted()
    assert service.http.post(path, json=question).status_code == 200
    assert service.http.post(path, json={}).status_code in {400, 422}
    more = {"success": 1, "rejected": 1, "error": 0, "timed": 2}
    assert counted() == {outcome: before[outcome] + more[outcome] for outcome in more}


def test_every_stage_has_its_time(service):
    index(service.http, SCALING)
    ask(service.http, QUESTION, use_cache=False)
    ask(service.http, QUESTION)
    for stage in ("embed", "retrieve", "extract", "cache", "chunk", "store"):
        assert counter(service.http, "rag_stage_seconds_count", stage=stage) > 0, stage


def test_metrics_are_in_prometheus_format(service):
    response = service.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE rag_requests_total counter" in response.text
    assert "process_resident_memory_bytes" in response.text


def test_a_json_log_has_one_object_for_each_line(run_service):
    import json

    service = run_service(RAG_LOG_FORMAT="json")
    service.http.post("/query", json={"question": QUESTION}, headers={"X-Request-ID": "abc"})

    def logged():  # a moment after the answer
        lines = [json.loads(line) for line in service.log.splitlines()]
        return [line for line in lines if line.get("request_id") == "abc"]

    [request] = eventually(logged, what="the line of the request")
    assert (request["event"], request["status"], request["path"]) == ("request", 200, "/query")
