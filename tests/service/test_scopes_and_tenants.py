"""What a key is good for, and whose documents it opens."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.service.api import BANANAS, SCALING, TIDES, ask, index, problem, texts
from tests.support.keys import with_key, write_keys
from tests.support.service import ServiceProcess

PUBLIC = {"/health", "/health/index", "/health/live", "/health/ready", "/metrics"}
SCOPES = {"query", "index", "admin"}
QUESTION = {"question": "How do I scale the API?"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, model):
    keys = write_keys(
        tmp_path_factory.mktemp("keys"),
        nothing={"scopes": []},
        **{scope: {"scopes": [scope]} for scope in SCOPES},
        acme={"tenant": "acme"},
        umbrella={"tenant": "umbrella"},
    )
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "RAG_API_KEYS_DIR": str(keys),
        "RAG_RATE_LIMIT_REQUESTS_PER_MINUTE": "0",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        yield service


def operations(service):
    """Every method of every path that is not public, and the scope it says it needs."""
    for path, methods in service.http.get("/openapi.json").json()["paths"].items():
        if path in PUBLIC:
            continue
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"\{\w+\}", "x", path), operation


def test_every_route_says_which_scope_it_needs_and_refuses_a_key_without_it(guarded):
    found = list(operations(guarded))
    assert len(found) >= 4
    for method, path, operation in found:
        [[scope]] = {tuple(scopes) for each in operation["security"] for scopes in each.values()}
        for key in {"nothing", *SCOPES} - {scope}:
            response = with_key(guarded, key).request(method, path)
            assert response.status_code == 403, (method, path, key)
            assert f"`{scope}`" in response.text, (method, path, key)
        assert with_key(guarded, scope).request(method, path).status_code not in {401, 403}


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_what_needs_no_key_answers_without_one(guarded, path):
    assert httpx.get(f"{guarded.url}{path}").status_code == 200


def test_the_scope_is_checked_before_the_body_is_read(guarded):
    # 9 MB would be refused with 413 if anybody looked at it.
    problem(with_key(guarded, "query").post("/index", content=b"x" * 9 * 2**20), 403)


def test_a_key_opens_its_tenants_documents_and_no_others(guarded):
    acme, umbrella = with_key(guarded, "acme"), with_key(guarded, "umbrella")
    index(acme, SCALING)
    index(umbrella, BANANAS)
    assert texts(ask(acme, "What is yellow and sweet?", top_k=50)) == [SCALING]
    assert texts(ask(umbrella, "How do I scale the API?", top_k=50)) == [BANANAS]
    assert ask(with_key(guarded, "query"), "How do I scale the API?", top_k=50)["sources"] == []


def test_an_answer_from_the_cache_is_never_another_tenants(guarded):
    acme, umbrella = with_key(guarded, "acme"), with_key(guarded, "umbrella")
    index(acme, TIDES)
    index(umbrella, BANANAS)
    question = "When does high tide come?"
    assert TIDES in texts(ask(acme, question))
    assert ask(acme, question)["cached"] == "exact"
    other = ask(umbrella, question)
    assert other["cached"] == "none"
    assert TIDES not in texts(other)


def test_another_tenants_job_is_not_there(guarded):
    job = index(with_key(guarded, "acme"), SCALING)["job_id"]
    assert with_key(guarded, "acme").get(f"/jobs/{job}").status_code == 200
    theirs = problem(with_key(guarded, "umbrella").get(f"/jobs/{job}"), 404)
    nowhere = problem(with_key(guarded, "umbrella").get(f"/jobs/{'0' * 32}"), 404)
    assert theirs["detail"] == nowhere["detail"]


def test_another_tenants_document_is_not_there_and_cannot_be_changed(guarded):
    acme, umbrella = with_key(guarded, "acme"), with_key(guarded, "umbrella")
    index(acme, SCALING, ids=["plan"], collection="plans")
    index(umbrella, BANANAS, ids=["fruit"], collection="plans")
    path = "/collections/plans/documents"
    assert acme.get(f"{path}/plan").json()["text"] == SCALING
    theirs = problem(umbrella.get(f"{path}/plan"), 404)
    nowhere = problem(umbrella.get(f"{path}/nothing"), 404)
    assert theirs["detail"].replace("plan'", "") == nowhere["detail"].replace("nothing'", "")
    assert [each["id"] for each in umbrella.get(path).json()["documents"]] == ["fruit"]

    umbrella.delete(f"{path}/plan")
    umbrella.post(f"{path}/delete", json={"ids": ["plan"]})
    index(umbrella, TIDES, ids=["plan"], collection="plans")
    assert acme.get(f"{path}/plan").json()["text"] == SCALING


def test_another_tenants_collection_is_not_there(guarded):
    index(with_key(guarded, "acme"), SCALING, collection="secret")
    umbrella = with_key(guarded, "umbrella")
    assert "secret" not in umbrella.get("/collections").text
    for method, path in (("GET", ""), ("GET", "/documents"), ("DELETE", ""), ("POST", "/reindex")):
        response = umbrella.request(method, f"/collections/secret{path}")
        assert response.status_code == 404, (method, path, response.text)
    body = {**QUESTION, "collection": "secret"}
    problem(umbrella.post("/query", json=body), 404)
    problem(umbrella.post("/retrieve", json=body), 404)
    chat = {"model": "ragdeploy/secret", "messages": [{"role": "user", "content": "What is it?"}]}
    assert umbrella.post("/v1/chat/completions", json=chat).status_code == 404
    search = umbrella.post("/v1/vector_stores/secret/search", json={"query": "What is it?"})
    assert search.status_code == 404


@pytest.mark.parametrize("field", ["tenant", "collection"])
def test_no_request_names_another_tenant(guarded, field):
    for value in ("acme", "acme/documents", "../acme/documents", "acme:documents"):
        response = with_key(guarded, "umbrella").post("/query", json={**QUESTION, field: value})
        assert response.status_code in {404, 422}
