"""Documents and collections: put, looked at, listed, deleted, and never told again."""

from __future__ import annotations

import os
import signal
from urllib.parse import quote

import pytest

from tests.service.api import (
    BANANAS,
    CHINESE,
    SCALING,
    TIDES,
    ask,
    fields,
    finished,
    index,
    problem,
    texts,
)
from tests.support.waiting import eventually

HERE = "/collections/library"


def path(document_id, collection=HERE):
    return f"{collection}/documents/{quote(document_id, safe='')}"


def put(service, document_id, text, *, collection=HERE, **metadata):
    body = {"text": text, "metadata": metadata}
    response = service.http.put(path(document_id, collection), json=body)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/jobs/{response.json()['job_id']}"
    return finished(service.http, response.json()["job_id"])


def listed(service, collection=HERE, **parameters):
    response = service.http.get(f"{collection}/documents", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def everything(service, collection=HERE, limit=100):
    """All documents of a collection, fetched page by page."""
    page = listed(service, collection, limit=limit)
    found = page["documents"]
    while page["next_page"]:
        page = listed(service, collection, limit=limit, page=page["next_page"])
        found += page["documents"]
    return found


def delete(service, collection=HERE, **body):
    response = service.http.post(f"{collection}/documents/delete", json=body)
    assert response.status_code == 200, response.text
    return response.json()


# ---- one document ----
def test_a_document_that_was_put_is_found_and_given_back(service):
    put(service, "tides", TIDES, source="sea.md", page=3)
    assert service.http.get(path("tides")).json() == {
        "id": "tides",
        "text": TIDES,
        "metadata": {"source": "sea.md", "page": 3},
        "chunks": 1,
    }
    assert texts(ask(service.http, "When is high tide?", collection="library", top_k=1)) == [TIDES]


def test_a_long_document_comes_back_to_the_last_blank(service):
    text = "".join(f"{number}. {SCALING}\n\n\t{CHINESE} \n" for number in range(100))
    put(service, "long", text)
    document = service.http.get(path("long")).json()
    assert document["text"] == text
    assert document["chunks"] > 20
    [source] = ask(service.http, "How do I scale the API?", collection="library", top_k=1)[
        "sources"
    ]
    assert source["text"] == source["text"].strip()


def test_putting_a_document_again_replaces_it(service):
    put(service, "fruit", BANANAS)
    put(service, "fruit", "Apples are red.", kind="new")
    document = service.http.get(path("fruit")).json()
    assert (document["text"], document["metadata"]) == ("Apples are red.", {"kind": "new"})
    asked = ask(service.http, "What do you know about fruit?", collection="library", top_k=50)
    assert BANANAS not in texts(asked)


@pytest.mark.parametrize(
    "document_id",
    [
        *("a/b/c.md", "/absolute/path", "with blank", "香蕉.md", "50%", "a?b=c&d#e", "delete"),
        *('"quoted" or 1 == 1', "back\\slash", "%2F", "+", "a;b", "~", "é" * 256),
    ],
)
def test_an_id_may_hold_any_characters(service, document_id):
    put(service, document_id, f"{TIDES} This one is {document_id}.")
    assert service.http.get(path(document_id)).json()["id"] == document_id
    assert service.http.delete(path(document_id)).status_code == 204
    problem(service.http.get(path(document_id)), 404)


def test_slashes_in_an_id_may_stand_as_such(service):
    put(service, "folder/page.md", TIDES)
    assert service.http.get(f"{HERE}/documents/folder/page.md").json()["id"] == "folder/page.md"


@pytest.mark.parametrize("document_id", ["é" * 257, "a\tb", "\0"])
def test_an_id_that_cannot_be_is_named(service, document_id):
    response = service.http.put(path(document_id), json={"text": TIDES})
    assert fields(problem(response, 422)) == ["document_id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": " "}, "text"),
        ({"text": TIDES, "metadata": []}, "metadata"),
        ({"text": TIDES, "metadata": {"a": "x" * 20_000}}, "metadata"),
        ({"text": TIDES, "id": "a"}, "id"),
    ],
)
def test_a_wrong_document_names_the_field(service, body, field):
    assert fields(problem(service.http.put(path("wrong"), json=body), 422)) == [field]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_not_there_is_a_404(service, method):
    put(service, "tides", TIDES)
    details = problem(service.http.request(method, path("nothing")), 404)
    assert "no such document" in details["detail"]
    details = problem(service.http.request(method, path("tides", "/collections/nowhere")), 404)
    assert "'nowhere'" in details["detail"]


# ---- lists ----
def test_a_list_shows_every_document_once_page_by_page(service):
    where = "/collections/many"
    ids = [f"document {number}" for number in range(25)]
    index(service.http, *(f"{TIDES} {i}" for i in ids), ids=ids, collection="many")
    put(service, "long", SCALING * 100, collection=where)
    for limit in (1, 7, 26, 1000):
        found = everything(service, where, limit=limit)
        assert sorted(document["id"] for document in found) == sorted([*ids, "long"])
    assert listed(service, where, limit=26)["next_page"] is None


def test_a_list_shows_metadata(service):
    where = "/collections/described"
    put(service, "tides", TIDES, collection=where, source="sea.md", tags=["a", "b"])
    [document] = everything(service, where)
    assert document == {"id": "tides", "metadata": {"source": "sea.md", "tags": ["a", "b"]}}


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"limit": 0}, "limit"), ({"limit": 1001}, "limit"), ({"limit": "all"}, "limit")],
)
def test_a_wrong_limit_is_named(service, parameters, field):
    response = service.http.get(f"{HERE}/documents", params=parameters)
    assert fields(problem(response, 422)) == [field]


def test_a_page_that_was_never_given_out_is_refused(service):
    put(service, "tides", TIDES)
    for page in ("nonsense", "W10", "x" * 5_000):
        problem(service.http.get(f"{HERE}/documents", params={"page": page}), 422)


# ---- deleting ----
def test_several_are_deleted_by_id_and_those_that_are_not_there_passed_over(service):
    where = "/collections/by-id"
    index(service.http, SCALING, BANANAS, TIDES, ids=["s", "b", "t"], collection="by-id")
    assert delete(service, where, ids=["s", "t", "nothing"]) == {"deleted": 2, "more": False}
    assert [document["id"] for document in everything(service, where)] == ["b"]


def test_documents_are_deleted_by_a_filter(service):
    where = "/collections/by-filter"
    index(
        service.http,
        *(SCALING, BANANAS, TIDES),
        ids=["s", "b", "t"],
        metadatas=[{"year": 2020}, {"year": 2021}, {"year": 2022}],
        collection="by-filter",
    )
    old = {"type": "lt", "key": "year", "value": 2022}
    assert delete(service, where, filters=old) == {"deleted": 2, "more": False}
    assert delete(service, where, filters=old) == {"deleted": 0, "more": False}
    assert [document["id"] for document in everything(service, where)] == ["t"]
    assert texts(ask(service.http, "bananas", collection="by-filter", top_k=50)) == [TIDES]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"ids": []}, "ids"),
        ({"ids": ["a"], "filters": {"type": "eq", "key": "a", "value": 1}}, "body"),
        ({"filters": {"type": "eq", "key": "a", "value": [1]}}, "filters"),
        ({"filters": {}}, "filters"),
    ],
)
def test_a_wrong_deletion_names_the_field_and_deletes_nothing(service, body, field):
    put(service, "tides", TIDES)
    details = problem(service.http.post(f"{HERE}/documents/delete", json=body), 422)
    assert fields(details) == [field]
    assert service.http.get(path("tides")).status_code == 200


@pytest.mark.parametrize("way", ["one", "ids", "filters", "collection"])
def test_no_old_answer_is_given_after_a_deletion(service, way):
    name = f"forgetful-{way}"
    where = f"/collections/{name}"
    index(
        service.http, BANANAS, TIDES,
        ids=["b", "t"], metadatas=[{"kind": "fruit"}, {"kind": "sea"}], collection=name,
    )  # fmt: skip
    question = "What colour is a ripe banana?"
    ask(service.http, question, collection=name)
    assert ask(service.http, question, collection=name)["cached"] == "exact"
    match way:
        case "one":
            assert service.http.delete(path("b", where)).status_code == 204
        case "ids":
            delete(service, where, ids=["b"])
        case "filters":
            delete(service, where, filters={"type": "eq", "key": "kind", "value": "fruit"})
        case "collection":
            assert service.http.delete(where).status_code == 204
            index(service.http, TIDES, collection=name)
    after = ask(service.http, question, collection=name)
    assert after["cached"] == "none"
    assert texts(after) == [TIDES]


def test_another_replica_forgets_too(run_replica):
    one, other = run_replica(), run_replica()
    put(one, "b", BANANAS)
    put(one, "t", TIDES)
    question = {"question": "What colour is a ripe banana?", "collection": "library"}
    for _ in range(2):
        before = ask(other.http, **question)
    assert before["cached"] == "exact"
    one.http.delete(path("b"))
    assert texts(ask(other.http, **question)) == [TIDES]


def test_a_deletion_that_the_cache_cannot_hear_of_must_be_repeated(run_replica, redis_server):
    service = run_replica()
    put(service, "b", BANANAS)
    put(service, "t", TIDES)
    question = {"question": "What colour is a ripe banana?", "collection": "library"}
    for _ in range(2):
        before = ask(service.http, **question)
    assert before["cached"] == "exact"
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        problem(service.http.delete(path("b")), 503)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    eventually(
        lambda: service.http.delete(path("b")).status_code == 404, what="the cache hears of it"
    )
    assert texts(ask(service.http, **question)) == [TIDES]


# ---- collections ----
def test_collections_are_listed_looked_at_and_deleted(service):
    index(service.http, TIDES, BANANAS, collection="passing")
    assert "passing" in service.http.get("/collections").json()["collections"]
    assert service.http.get("/collections").json()["default"] == "documents"
    shown = service.http.get("/collections/passing").json()
    assert (shown["name"], shown["chunks"]) == ("passing", 2)
    assert "dense" in shown["search_modes"]
    assert service.http.delete("/collections/passing").status_code == 204
    assert "passing" not in service.http.get("/collections").json()["collections"]
    problem(service.http.get("/collections/passing"), 404)
    problem(service.http.delete("/collections/passing"), 404)
    asked = {"question": "When is high tide?", "collection": "passing"}
    problem(service.http.post("/query", json=asked), 404)


@pytest.mark.parametrize("name", ["UPPER", "a b", "x" * 64, "-a", "a%2Fb", "文档"])
def test_a_name_that_no_collection_can_have_is_refused(service, name):
    for method in ("GET", "DELETE"):
        response = service.http.request(method, f"/collections/{name}")
        assert response.status_code in {404, 422}
    if "%" not in name:
        assert fields(problem(service.http.get(f"/collections/{name}"), 422)) == ["collection"]


def test_a_document_of_one_collection_is_not_in_another(service):
    put(service, "t", TIDES, collection="/collections/one")
    put(service, "b", BANANAS, collection="/collections/two")
    problem(service.http.get(path("t", "/collections/two")), 404)
    assert texts(ask(service.http, "tides?", collection="two", top_k=50)) == [BANANAS]
