"""Index jobs: what becomes of documents, on one service and on several."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.api import (
    BANANAS,
    SCALING,
    TIDES,
    all_texts,
    ask,
    counter,
    finished,
    index,
    job,
    submit,
    texts,
)
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


def numbered(count, *, words=120):
    """Distinct documents of about two chunks each."""
    page = "Page {n} tells of the number {n}. "
    return [f"Chapter {n}. " + page.format(n=n) * (words // 8) for n in range(count)]


def test_documents_are_taken_in_with_a_job_to_ask_for(service):
    response = service.http.post("/index", json={"documents": [SCALING, BANANAS]})
    assert response.status_code == 202
    accepted = response.json()
    assert set(accepted) == {"job_id", "message", "count"}
    assert accepted["count"] == 2
    assert response.headers["location"] == f"/jobs/{accepted['job_id']}"
    finished(service.http, accepted["job_id"])


def test_a_job_tells_how_it_went(service):
    done = index(service.http, SCALING, BANANAS)
    assert set(done) == {
        *("job_id", "state", "done", "total", "attempts"),
        *("errors", "created_at", "started_at", "finished_at"),
    }
    assert (done["done"], done["total"], done["attempts"], done["errors"]) == (2, 2, 1, [])
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]


def test_documents_are_found_when_their_job_has_ended(service):
    marmots = "Marmots sleep through the whole winter in their burrows."
    index(service.http, marmots)
    assert texts(ask(service.http, "Which animal sleeps in winter?"))[0] == marmots


def test_a_document_without_words_is_named(service):
    done = index(service.http, SCALING, "\u0085 \x7f", ids=["scaling", "nothing"])
    assert done["errors"] == ["Document 'nothing' has no text."]


def test_a_word_without_end_is_indexed_too(service):
    index(service.http, "QUJD" * 40_000, ids=["picture"])


def test_a_document_with_a_known_id_replaces_the_old_one(run_service):
    service = run_service(RAG_MIN_SCORE="-1")
    index(service.http, SCALING, BANANAS, ids=["a", "b"])
    index(service.http, TIDES, ids=["a"])
    assert all_texts(service.http, "anything at all") == sorted([TIDES, BANANAS])


def test_the_same_document_twice_is_there_once(run_service):
    service = run_service(RAG_MIN_SCORE="-1")
    for _ in range(2):
        index(service.http, SCALING, BANANAS, SCALING)
    assert all_texts(service.http, "anything at all") == sorted([SCALING, BANANAS])


def test_equal_text_from_two_sources_is_two_documents(run_service):
    service = run_service()
    index(service.http, SCALING, SCALING, metadatas=[{"source": "a.md"}, {"source": "b.md"}])
    answer = ask(service.http, QUESTION)
    assert sorted(s["metadata"]["source"] for s in answer["sources"]) == ["a.md", "b.md"]


@pytest.mark.parametrize(
    "name", ['qu"ote', "ap'ostrophe", "back\\slash", "你好😀", '") or ("" == "', "%s {x} $y"]
)
def test_an_id_is_only_a_name(service, name):
    before = f"The river {name} flows to the sea."
    index(service.http, before, "Another river.", ids=[name, "other-river"])
    after = f"The river {name} has dried up."
    index(service.http, after, ids=[name])
    question = "Has the river dried up?"
    found = ask(service.http, question, top_k=50, use_cache=False)["sources"]
    assert [s["text"] for s in found if s["doc_id"] == name] == [after]
    assert [s for s in found if s["doc_id"] == "other-river"]


def test_documents_outlive_a_restart(run_service, tmp_path):
    service = run_service(folder=tmp_path)
    index(service.http, SCALING)
    service.stop()
    again = run_service(folder=tmp_path)
    assert texts(ask(again.http, QUESTION)) == [SCALING]


def test_documents_outlive_a_crash(run_service, tmp_path):
    service = run_service(folder=tmp_path)
    index(service.http, SCALING)
    service.process.kill()
    again = run_service(folder=tmp_path)
    assert texts(ask(again.http, QUESTION)) == [SCALING]


def test_jobs_are_counted(service):
    before = counter(service.http, "rag_jobs_total", state="succeeded")
    documents = counter(service.http, "rag_documents_indexed_total")
    index(service.http, SCALING, BANANAS)
    assert counter(service.http, "rag_jobs_total", state="succeeded") == before + 1
    assert counter(service.http, "rag_documents_indexed_total") == documents + 2
    assert counter(service.http, "rag_stage_seconds_count", stage="embed") > 0


# ---- several services on one Redis and one vector store ----


def test_what_one_replica_indexes_the_other_answers_from(run_replica):
    one, two = run_replica(), run_replica()
    job_id = submit(one.http, SCALING)
    finished(two.http, job_id)
    for replica in (one, two):
        assert texts(ask(replica.http, QUESTION)) == [SCALING]


def test_a_replica_gives_no_answer_from_before_the_others_job(run_replica):
    one, two = run_replica(), run_replica()
    index(one.http, BANANAS)
    ask(two.http, QUESTION)
    assert ask(two.http, QUESTION)["cached"] == "exact"
    finished(one.http, submit(one.http, SCALING))
    answer = ask(two.http, QUESTION)
    assert answer["cached"] == "none"
    assert SCALING in texts(answer)


def test_an_answer_of_one_replica_serves_the_other(run_replica):
    one, two = run_replica(), run_replica()
    index(one.http, SCALING)
    ask(one.http, QUESTION)
    assert ask(two.http, QUESTION)["cached"] == "exact"


def test_a_killed_worker_leaves_its_job_to_another(run_replica):
    one = run_replica()
    documents = numbered(300)
    job_id = submit(one.http, *documents, ids=[str(n) for n in range(300)])
    eventually(lambda: job(one.http, job_id)["done"] > 0, what="the job is under way")
    one.process.kill()
    two = run_replica()
    done = finished(two.http, job_id, timeout=120)
    assert done["attempts"] == 2
    found = ask(two.http, "Which chapter?", top_k=50, use_cache=False)["sources"]
    assert len({s["id"] for s in found}) == 50
    chunks = two.http.get("/health").json()["parts"]["vector_store"]["chunks"]
    index(two.http, *documents, ids=[str(n) for n in range(300)])
    again = two.http.get("/health").json()["parts"]["vector_store"]["chunks"]
    assert chunks == again


def test_a_stopped_worker_hands_its_job_back(run_replica):
    one = run_replica(RAG_DRAIN_SECONDS="0")
    job_id = submit(one.http, *numbered(300))
    eventually(lambda: job(one.http, job_id)["done"] > 0, what="the job is under way")
    one.stop()
    two = run_replica()
    # Handed back, the attempt does not count; abandoned, it would.
    done = finished(two.http, job_id, timeout=120)
    assert done["attempts"] == 1


def test_each_job_is_done_once_however_many_workers_there_are(run_replica):
    replicas = [run_replica(), run_replica()]
    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(lambda n: submit(replicas[n % 2].http, f"Note {n}."), range(20)))
    for job_id in jobs:
        assert finished(replicas[0].http, job_id)["attempts"] == 1
    done = [counter(r.http, "rag_jobs_total", state="succeeded") for r in replicas]
    assert sum(done) == 20
