"""Index jobs: what becomes of documents, on one service and on several."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.api import (
    BANANAS,
    SCALING,
    TIDES,
    ask,
    counter,
    finished,
    index,
    job,
    submit,
    texts,
)
from tests.support.milvus import MilvusLiteServer
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"


@pytest.fixture(scope="module")
def lenient(tmp_path_factory, model):
    """A service that leaves no passage out, however far from the question."""
    settings = {"RAG_EMBEDDING_MODEL_DIR": str(model.folder), "RAG_MIN_SCORE": "-1"}
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("lenient")) as service:
        yield service


def numbered(count, *, words=120):
    """Distinct documents of about two chunks each."""
    page = "Page {n} tells of the number {n}. "
    return [f"Chapter {n}. " + page.format(n=n) * (words // 8) for n in range(count)]


def test_documents_are_taken_in_with_a_job_to_ask_for(service):
    response = service.http.post("/index", json={"documents": [SCALING, BANANAS]})
    assert response.status_code == 202
    accepted = response.json()
    assert set(accepted) == {"job_id", "epoch", "message", "count"}
    assert accepted["count"] == 2
    assert response.headers["location"] == f"/jobs/{accepted['job_id']}"
    finished(service.http, accepted["job_id"])


def test_a_job_tells_how_it_went(service):
    done = index(service.http, SCALING, BANANAS)
    assert set(done) == {
        *("job_id", "kind", "collection", "epoch", "state", "done", "total", "attempts"),
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


def stored(service, *document_ids):
    """The texts that are there for some documents, of a collection of less than 50 chunks."""
    found = ask(service.http, "What is known?", top_k=50, use_cache=False)["sources"]
    return sorted(s["text"] for s in found if s["doc_id"] in document_ids)


def test_a_document_with_a_known_id_replaces_the_old_one(lenient):
    index(lenient.http, SCALING, BANANAS, ids=["a", "b"])
    index(lenient.http, TIDES, ids=["a"])
    assert stored(lenient, "a", "b") == sorted([TIDES, BANANAS])


def test_the_same_document_twice_is_there_once(lenient):
    text = "The same river flows twice."
    for _ in range(2):
        index(lenient.http, text, SCALING, text)
    found = ask(lenient.http, "Which river flows?", top_k=50, use_cache=False)
    assert texts(found).count(text) == 1


def test_equal_text_from_two_sources_is_two_documents(lenient):
    text = "The same song is sung in two villages."
    index(lenient.http, text, text, metadatas=[{"source": "a.md"}, {"source": "b.md"}])
    found = ask(lenient.http, "Which song is sung?", top_k=50)["sources"]
    assert sorted(s["metadata"]["source"] for s in found if s["text"] == text) == ["a.md", "b.md"]


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


@pytest.fixture(scope="module")
def _pair(tmp_path_factory, model, _redis):
    """Two replicas, as a Deployment of the operator has them."""
    folder = tmp_path_factory.mktemp("pair")
    milvus = MilvusLiteServer(folder).start()
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "MILVUS_URI": milvus.uri,
        "REDIS_URL": _redis.start().url,
    }
    folders = [tmp_path_factory.mktemp("replica") for _ in range(2)]
    with (
        ServiceProcess(settings, folder=folders[0]) as one,
        ServiceProcess(settings, folder=folders[1]) as two,
    ):
        yield one, two
    milvus.stop()


@pytest.fixture
def pair(_pair, redis_server):
    return _pair


def test_what_one_replica_indexes_the_other_answers_from(pair):
    job_id = submit(pair[0].http, SCALING)
    finished(pair[1].http, job_id)
    for replica in pair:
        assert texts(ask(replica.http, QUESTION))[0] == SCALING


def test_a_replica_gives_no_answer_from_before_the_others_job(pair):
    one, two = pair
    question = "Which bird cannot fly?"
    index(one.http, BANANAS)
    ask(two.http, question)
    assert ask(two.http, question)["cached"] == "exact"
    penguins = "The penguin is a bird that cannot fly."
    finished(one.http, submit(one.http, penguins))
    answer = ask(two.http, question)
    assert answer["cached"] == "none"
    assert texts(answer)[0] == penguins


def test_an_answer_of_one_replica_serves_the_other(pair):
    index(pair[0].http, SCALING)
    ask(pair[0].http, QUESTION)
    assert ask(pair[1].http, QUESTION)["cached"] == "exact"


def test_each_job_is_done_once_however_many_workers_there_are(pair):
    before = [counter(r.http, "rag_jobs_total", state="succeeded") for r in pair]
    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(lambda n: submit(pair[n % 2].http, f"Note {n}."), range(20)))
    for job_id in jobs:
        assert finished(pair[0].http, job_id)["attempts"] == 1
    after = [counter(r.http, "rag_jobs_total", state="succeeded") for r in pair]
    assert sum(after) - sum(before) == 20


def test_a_killed_worker_leaves_its_job_to_another(run_replica):
    one = run_replica()
    documents = numbered(200)
    job_id = submit(one.http, *documents, ids=[str(n) for n in range(200)])
    eventually(lambda: job(one.http, job_id)["done"] > 0, what="the job is under way")
    one.process.kill()
    two = run_replica()
    done = finished(two.http, job_id)
    assert done["attempts"] == 2
    found = ask(two.http, "Which chapter?", top_k=50, use_cache=False)["sources"]
    assert len({s["id"] for s in found}) == 50
    chunks = two.http.get("/health").json()["parts"]["vector_store"]["chunks"]
    index(two.http, *documents, ids=[str(n) for n in range(200)])
    again = two.http.get("/health").json()["parts"]["vector_store"]["chunks"]
    assert chunks == again


def test_a_stopped_worker_hands_its_job_back(run_replica):
    one = run_replica(RAG_DRAIN_SECONDS="0")
    job_id = submit(one.http, *numbered(200))
    eventually(lambda: job(one.http, job_id)["done"] > 0, what="the job is under way")
    one.stop()
    two = run_replica()
    # Handed back, the attempt does not count; abandoned, it would.
    done = finished(two.http, job_id)
    assert done["attempts"] == 1
