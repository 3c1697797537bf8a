"""The API's description: complete, and the same as the file that is checked in."""

from __future__ import annotations

import json

import pytest

from ragdeploy_service import openapi

DOCUMENT = openapi.document()


def test_the_file_is_up_to_date():
    assert json.loads(openapi.FILE.read_text()) == DOCUMENT


def test_it_does_not_depend_on_the_environment(monkeypatch):
    monkeypatch.setenv("RAG_TOP_K", "9")
    monkeypatch.setenv("RAG_HOST", "0.0.0.0")
    assert openapi.document() == DOCUMENT


@pytest.mark.parametrize(
    ("path", "scope"), [("/query", "query"), ("/index", "index"), ("/jobs/{job_id}", "index")]
)
def test_where_a_key_is_asked_for_it_says_so(path, scope):
    for operation in DOCUMENT["paths"][path].values():
        assert operation["security"] == [{"header": [scope]}, {"bearer": [scope]}]
        assert {"401", "403"} <= set(operation["responses"])


def test_every_error_is_a_problem_or_in_openais_envelope():
    for path, operations in DOCUMENT["paths"].items():
        kind = "application/json" if path.startswith("/v1/") else "application/problem+json"
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")):
                    assert list(response["content"]) == [kind]


def test_every_reference_leads_somewhere():
    text = json.dumps(DOCUMENT)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in DOCUMENT["components"]["schemas"]
