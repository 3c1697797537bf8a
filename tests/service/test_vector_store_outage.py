"""Milvus late, dead, hanging, and back again; and a collection that is not ours."""

from __future__ import annotations

import signal

import pytest

from tests.service.api import (
    SCALING,
    ask,
    finished,
    index,
    is_alive,
    is_ready,
    problem,
    submit,
    texts,
)
from tests.support.milvus import MilvusLiteServer
from tests.support.process import DidNotStart
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


def query(service):
    return service.http.post("/query", json={"question": QUESTION, "use_cache": False})


@pytest.fixture
def connected(run_service, milvus):
    service = run_service(MILVUS_URI=milvus.uri)
    index(service.http, SCALING)
    return service


def test_a_dead_store_is_a_clear_answer_and_the_service_recovers_by_itself(connected, milvus):
    milvus.kill()
    response = query(connected)
    assert "vector store" in problem(response, 503)["detail"]
    assert int(response.headers["retry-after"]) > 0
    assert response.elapsed.total_seconds() < 10
    assert connected.http.get("/health/live").status_code == 200
    assert connected.http.get("/health").json()["status"] == "unhealthy"
    milvus.start()
    eventually(lambda: query(connected).status_code == 200, what="questions are answered again")
    assert texts(ask(connected.http, QUESTION)) == [SCALING]
    assert "Traceback" not in connected.log


def test_a_hanging_store_is_given_up_and_used_again(connected, milvus):
    milvus.process.signal(signal.SIGSTOP)
    try:
        response = query(connected)
    finally:
        milvus.process.signal(signal.SIGCONT)
    problem(response, 503)
    assert response.elapsed.total_seconds() < 10
    eventually(lambda: query(connected).status_code == 200, what="questions are answered again")


def test_documents_that_come_while_the_store_is_dead_are_indexed_later(connected, milvus):
    milvus.kill()
    late = "The lighthouse keeper lights the lamp at dusk."
    job_id = submit(connected.http, late)
    milvus.start()
    finished(connected.http, job_id)
    assert texts(ask(connected.http, "When is the lamp lit?"))[0] == late


def test_the_service_starts_before_its_store(tmp_path, model):
    milvus = MilvusLiteServer(tmp_path)
    settings = {"MILVUS_URI": milvus.uri, "RAG_EMBEDDING_MODEL_DIR": str(model.folder)}
    service = ServiceProcess(settings, folder=tmp_path)
    service.process.start()
    try:
        eventually(lambda: is_alive(service), what="the service is alive")
        details = problem(service.http.get("/health/ready"), 503)
        assert "vector store" in details["detail"]
        problem(query(service), 503)
        milvus.start()
        eventually(lambda: is_ready(service), what="the service is ready")
        index(service.http, SCALING)
        assert texts(ask(service.http, QUESTION)) == [SCALING]
    finally:
        service.stop()
        milvus.stop()


def test_two_services_do_not_share_a_folder(tmp_path, run_service):
    run_service(folder=tmp_path)
    with pytest.raises(DidNotStart) as refused:
        run_service(folder=tmp_path)
    assert "RAG_DATA_DIR" in str(refused.value)
    assert "Traceback" not in str(refused.value)
