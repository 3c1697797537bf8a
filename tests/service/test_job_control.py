"""Jobs in the hands of their owner: repeated safely, waited for, cancelled, tried again."""

from __future__ import annotations

import signal
from functools import partial
from uuid import uuid4

import pytest

from tests.service.api import (
    BANANAS,
    SCALING,
    TIDES,
    ask,
    counter,
    fields,
    finished,
    index,
    job,
    problem,
    submit,
    texts,
)
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


def numbered(count):
    """Distinct documents of about two chunks each."""
    return [f"Chapter {n}. " + f"Page {n} tells of the number {n}. " * 15 for n in range(count)]


def hand_in(service, *documents, key=None, **more):
    headers = {"Idempotency-Key": key} if key else {}
    return service.http.post("/index", json={"documents": list(documents), **more}, headers=headers)


# ---- a request that is sent again ----


def test_a_request_sent_again_with_its_key_is_the_same_job(service):
    key = uuid4().hex
    first, second = (hand_in(service, SCALING, key=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["job_id"] == second.json()["job_id"]
    assert first.headers["location"] == second.headers["location"]


def test_a_key_of_another_request_is_refused(service):
    key = uuid4().hex
    hand_in(service, SCALING, key=key)
    details = problem(hand_in(service, BANANAS, key=key), 422)
    assert details["type"] == "urn:ragdeploy:problem:idempotency-conflict"


@pytest.mark.parametrize("key", ["x" * 256, "two words"])
def test_a_key_is_a_short_word(service, key):
    assert fields(problem(hand_in(service, SCALING, key=key), 422)) == ["idempotency-key"]


# ---- a question that must know its documents ----


def test_an_answer_knows_the_documents_up_to_its_epoch(service):
    ask(service.http, QUESTION)  # an answer from before is in the cache
    story = "The API of the lighthouse scales with the number of its lamps."
    accepted = hand_in(service, story, *numbered(20), collection="lighthouse").json()
    for path in ("/query", "/retrieve"):
        response = service.http.post(
            path,
            json={
                "question": QUESTION,
                "collection": "lighthouse",
                "min_epoch": accepted["epoch"],
            },
        )
        assert response.status_code == 200, response.text
        assert texts(response.json())[0] == story
    assert job(service.http, accepted["job_id"])["epoch"] == accepted["epoch"] == 1


def test_an_epoch_that_was_never_given_out_is_refused(service):
    response = service.http.post("/query", json={"question": QUESTION, "min_epoch": 10**6})
    assert fields(problem(response, 422)) == ["min_epoch"]


def test_who_cannot_wait_is_told_where_the_time_went(service):
    accepted = hand_in(service, *numbered(200), collection="slow").json()
    response = service.http.post(
        "/query",
        json={
            "question": QUESTION,
            "collection": "slow",
            "min_epoch": accepted["epoch"],
            "timeout_ms": 50,
        },
    )
    details = problem(response, 504)
    assert details["stage"] == "jobs"
    assert int(response.headers["retry-after"]) > 0
    service.http.delete(f"/jobs/{accepted['job_id']}")


# ---- a job that is no longer wanted ----


def test_a_job_that_runs_is_cancelled_and_stops(service):
    job_id = submit(service.http, *numbered(400), collection="cancelled")
    eventually(lambda: job(service.http, job_id)["done"] > 0, what="the job is under way")
    before = counter(service.http, "rag_jobs_total", state="cancelled")
    response = service.http.delete(f"/jobs/{job_id}")
    assert response.status_code == 200
    assert response.json()["state"] == "cancelled"
    # What runs gives way to what waits: the next job ends although the first had minutes to go.
    index(service.http, SCALING, collection="next")
    cancelled = job(service.http, job_id)
    assert cancelled["state"] == "cancelled"
    assert 0 < cancelled["done"] < cancelled["total"]
    assert counter(service.http, "rag_jobs_total", state="cancelled") == before + 1
    # Epochs do not wait for it.
    ask(service.http, "Which chapter?", collection="cancelled", min_epoch=cancelled["epoch"])


def test_a_job_that_waits_is_cancelled_and_never_runs(service):
    first = submit(service.http, *numbered(400), collection="busy")
    second = submit(service.http, TIDES, collection="busy")
    assert service.http.delete(f"/jobs/{second}").json()["attempts"] == 0
    service.http.delete(f"/jobs/{first}")
    index(service.http, SCALING, collection="busy")
    assert job(service.http, second)["state"] == "cancelled"


def test_a_job_that_has_ended_is_not_cancelled(service):
    done = index(service.http, SCALING)
    details = problem(service.http.delete(f"/jobs/{done['job_id']}"), 409)
    assert "succeeded" in details["detail"]


def test_a_job_that_is_not_there_is_not_found(service):
    missing = f"/jobs/{'0' * 32}"
    for response in (
        service.http.get(missing),
        service.http.delete(missing),
        service.http.post(f"{missing}/retry"),
    ):
        problem(response, 404)


# ---- jobs that were given up ----


def is_running(http, job_id):
    return job(http, job_id)["state"] == "running"


def test_a_job_that_ends_every_process_is_given_up_and_can_be_tried_again(run_service, tmp_path):
    for _ in range(3):
        service = run_service(folder=tmp_path)
        found = service.http.get("/jobs").json()["jobs"]
        job_id = found[0]["job_id"] if found else submit(service.http, *numbered(150))
        running = partial(is_running, service.http, job_id)
        eventually(running, what="the job runs")
        service.process.kill()
    service = run_service(folder=tmp_path)
    failed = eventually(
        lambda: service.http.get("/jobs", params={"state": "failed"}).json()["jobs"],
        what="the job is given up",
    )
    assert [entry["job_id"] for entry in failed] == [job_id]
    assert failed[0]["errors"] == ["Every worker that began this job ended before it."]
    response = service.http.post(f"/jobs/{job_id}/retry")
    assert response.status_code == 202
    assert response.json()["epoch"] == 2
    assert finished(service.http, job_id)["done"] == 150
    problem(service.http.post(f"/jobs/{job_id}/retry"), 409)


def test_a_list_of_jobs_comes_in_pages(service):
    for name in ("one", "two", "three"):
        index(service.http, SCALING, collection=name)
    seen, page = [], None
    for _ in range(3):
        params = {"state": "succeeded", "limit": 1} | ({"page": page} if page else {})
        answer = service.http.get("/jobs", params=params).json()
        seen += [entry["collection"] for entry in answer["jobs"]]
        page = answer["next_page"]
    assert seen == ["three", "two", "one"]
    problem(service.http.get("/jobs", params={"page": "x"}), 422)
    problem(service.http.get("/jobs", params={"state": "lost"}), 422)


# ---- a service that is alone ----


def test_jobs_outlive_a_crash_without_redis(run_service, tmp_path):
    service = run_service(folder=tmp_path)
    jobs = [submit(service.http, f"Note {n} of the crash.") for n in range(20)]
    service.process.kill()
    again = run_service(folder=tmp_path)
    for job_id in jobs:
        finished(again.http, job_id)
    chunks = again.http.get("/health").json()["parts"]["vector_store"]["chunks"]
    assert chunks == 20


def test_work_that_was_done_before_a_crash_is_not_done_again(run_service, tmp_path):
    service = run_service(folder=tmp_path)
    documents = numbered(200)
    job_id = submit(service.http, *documents)
    done = eventually(lambda: job(service.http, job_id)["done"], what="the job is under way")
    service.process.kill()
    again = run_service(folder=tmp_path)
    finished(again.http, job_id)
    # One batch of 128 chunks, two of each document, is embedded at a time.
    slices = counter(again.http, "rag_stage_seconds_count", stage="embed")
    whole = -(-len(documents) // 64)
    assert slices <= whole - done // 64


def test_a_second_service_on_one_folder_is_refused(run_service, tmp_path, model):
    run_service(folder=tmp_path)
    second = ServiceProcess({"RAG_EMBEDDING_MODEL_DIR": str(model.folder)}, folder=tmp_path)
    second.process.start()
    assert second.process.wait() != 0
    assert "Traceback" not in second.log


# ---- several services on one Redis ----


def test_all_documents_are_there_once_whoever_indexes_them(run_replica):
    one, two = run_replica(), run_replica()
    jobs = [
        submit((one, two)[n % 2].http, *(f"Fact {n}.{m} is true." for m in range(5)))
        for n in range(20)
    ]
    workers = {finished(one.http, job_id)["attempts"] for job_id in jobs}
    assert workers == {1}
    done = [counter(r.http, "rag_jobs_total", state="succeeded") for r in (one, two)]
    assert sum(done) == 20
    assert min(done) > 0
    assert one.http.get("/health").json()["parts"]["vector_store"]["chunks"] == 100


def test_a_key_is_known_on_every_replica(run_replica):
    one, two = run_replica(), run_replica()
    accepted = [hand_in(r, SCALING, key="once").json() for r in (one, two)]
    assert accepted[0]["job_id"] == accepted[1]["job_id"]
    problem(hand_in(two, BANANAS, key="once"), 422)


def test_a_question_on_one_replica_waits_for_the_job_on_another(run_replica):
    one, two = run_replica(), run_replica()
    one.process.signal(signal.SIGSTOP)  # whoever holds the queue open, it is not this one
    try:
        accepted = hand_in(two, *numbered(40), SCALING).json()
        answer = ask(two.http, QUESTION, min_epoch=accepted["epoch"])
    finally:
        one.process.signal(signal.SIGCONT)
    assert texts(answer)[0] == SCALING
    assert texts(ask(one.http, QUESTION, min_epoch=accepted["epoch"]))[0] == SCALING
