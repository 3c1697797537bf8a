"""Whatever is sent: a problem that names the field and says what to do, never a traceback."""

from __future__ import annotations

import json
import re

import pytest

from tests.service.api import BANANAS, TIDES, ask, fields, index, problem

QUESTION = "How do I scale the API?"
JSON = {"Content-Type": "application/json"}
CLOSES = {ord("["): ord("]"), ord("{"): ord("}")}


def post(service, path, body):
    """Send JSON with escapes, which can say more than UTF-8."""
    return service.http.post(path, content=json.dumps(body), headers=JSON)


def nested(depth):
    return {"a": nested(depth - 1)} if depth > 1 else {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "question"),
        ({"question": None}, "question"),
        ({"question": 42}, "question"),
        ({"question": "ab"}, "question"),
        ({"question": "   a    "}, "question"),
        ({"question": "a" * 1001}, "question"),
        ({"question": "What is <script>?"}, "question"),
        ({"question": "What is {{this}}?"}, "question"),
        ({"question": "half a pair \ud800"}, "question"),
        ({"question": QUESTION, "top_k": 0}, "top_k"),
        ({"question": QUESTION, "top_k": 51}, "top_k"),
        ({"question": QUESTION, "top_k": "3"}, "top_k"),
        ({"question": QUESTION, "top_k": 3.5}, "top_k"),
        ({"question": QUESTION, "top_k": True}, "top_k"),
        ({"question": QUESTION, "use_cache": "yes"}, "use_cache"),
        ({"question": QUESTION, "passages": 3}, "passages"),
        ([QUESTION], "body"),
        (QUESTION, "body"),
    ],
)
def test_a_wrong_question_names_the_field(service, body, field):
    details = problem(post(service, "/query", body), 422)
    assert fields(details) == [field]
    assert field in details["detail"]


def and_(*filters):
    return {"type": "and", "filters": list(filters)}


YEAR = {"type": "eq", "key": "year", "value": 2024}


def deep(depth):
    return and_(deep(depth - 1)) if depth else YEAR


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ("year == 2024", "filters"),
        ({}, "filters"),
        ({**YEAR, "type": "like"}, "filters"),
        ({**YEAR, "key": 'year"] != 0 or metadata["'}, "filters.key"),
        ({**YEAR, "key": ""}, "filters.key"),
        ({**YEAR, "more": 1}, "filters.more"),
        ({"type": "eq", "key": "year"}, "filters.value"),
        ({**YEAR, "value": [2024]}, "filters"),
        ({**YEAR, "type": "in"}, "filters"),
        ({**YEAR, "type": "in", "value": []}, "filters.value"),
        ({**YEAR, "type": "gt", "value": True}, "filters"),
        ({**YEAR, "value": "x" * 2000}, "filters.value"),
        ({**YEAR, "value": None}, "filters.value"),
        ({**YEAR, "value": 2**64}, "filters.value"),
        ({**YEAR, "type": "in", "value": [1, {}]}, "filters.value"),
        (and_(), "filters.filters"),
        (and_(YEAR, {**YEAR, "key": 7}), "filters.filters[1].key"),
        (deep(7), "filters"),
        (and_(*[YEAR] * 33, and_(*[YEAR] * 32)), "filters"),
    ],
)
def test_a_wrong_filter_names_the_place_in_it(service, filters, field):
    details = problem(post(service, "/query", {"question": QUESTION, "filters": filters}), 422)
    assert fields(details) == [field]


@pytest.mark.parametrize("filters", [YEAR, deep(6), and_(*[YEAR] * 64)])
def test_filters_within_their_bounds_are_taken(service, filters):
    response = post(service, "/retrieve", {"question": QUESTION, "filters": filters})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": BANANAS}, "documents"),
        ({"documents": [BANANAS, 7]}, "documents[1]"),
        ({"documents": [BANANAS, " \n"]}, "documents[1]"),
        ({"documents": ["half a pair \udc00"]}, "documents[0]"),
        ({"documents": ["x"] * 1001}, "documents"),
        ({"documents": [BANANAS], "metadatas": [{}, {}]}, "metadatas"),
        ({"documents": [BANANAS], "metadatas": ["source"]}, "metadatas[0]"),
        ({"documents": [BANANAS], "metadatas": [{"a": "x" * 20_000}]}, "metadatas[0]"),
        ({"documents": [BANANAS], "metadatas": [{"a": "\ud800"}]}, "metadatas[0]"),
        ({"documents": [BANANAS], "metadatas": [{"a": [{"b": -(2**70)}]}]}, "metadatas[0]"),
        ({"documents": [BANANAS], "metadatas": [nested(17)]}, "metadatas[0]"),
        ({"documents": [BANANAS], "metadatas": [nested(400)]}, "metadatas[0]"),
        ({"documents": [BANANAS], "ids": []}, "ids"),
        ({"documents": [BANANAS], "ids": [""]}, "ids[0]"),
        ({"documents": [BANANAS], "ids": [3]}, "ids[0]"),
        ({"documents": [BANANAS], "ids": ["é" * 257]}, "ids[0]"),
        ({"documents": [BANANAS], "ids": ["a\nb"]}, "ids[0]"),
        ({"documents": [BANANAS, BANANAS], "ids": ["a", "a"]}, "ids"),
        ({"documents": [BANANAS], "metadata": {}}, "metadata"),
    ],
)
def test_wrong_documents_name_the_field(service, body, field):
    details = problem(post(service, "/index", body), 422)
    assert fields(details) == [field]


def test_every_wrong_field_is_named_at_once(service):
    body = {"question": "", "top_k": -1, "use_cache": 0, "why": 1}
    details = problem(post(service, "/query", body), 422)
    assert fields(details) == ["question", "top_k", "use_cache", "why"]


def test_what_was_sent_is_not_sent_back(service):
    body = {"question": "secret-word " * 100, "secret": "secret-word"}
    assert "secret-word" not in service.http.post("/query", json=body).text


@pytest.mark.parametrize(
    "content",
    [b'{"question": ', b"", b"null", b"\xff\xfe", b"[" * 50_000, b'{"question": "\xff"}'],
)
def test_a_body_that_is_not_json_is_refused(service, content):
    response = service.http.post("/query", content=content, headers=JSON)
    assert fields(problem(response, 422)) == ["body"]


def test_metadata_that_json_does_not_know_is_refused(service):
    body = {"documents": [BANANAS], "metadatas": [{"score": float("nan")}]}
    assert fields(problem(post(service, "/index", body), 422)) == ["metadatas[0]"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_is_refused(service, kind):
    headers = {"Content-Type": kind} if kind else {}
    content = json.dumps({"question": QUESTION}).encode()
    response = service.http.post("/query", content=content, headers=headers)
    assert "application/json" in problem(response, 415)["detail"]


def test_a_path_that_is_not_there_says_so(service):
    problem(service.http.get("/documents/1"), 404)


def test_a_method_that_is_not_possible_names_those_that_are(service):
    response = service.http.get("/query")
    problem(response, 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "job_id", ["0" * 32, "unknown", "0" * 32 + ":documents", "..%2F..%2Fetc", "%00"]
)
def test_a_job_that_is_not_there_says_so(service, job_id):
    problem(service.http.get(f"/jobs/{job_id}"), 404)


@pytest.fixture(scope="module")
def too_much():
    return json.dumps({"documents": ["x" * 9 * 2**20]}).encode()


@pytest.mark.parametrize("depth", [100, 240, 500, 900, 990, 1000, 1010, 5_000, 10_000])
def test_however_deep_a_body_is_nested_it_is_refused(service, depth):
    inner = b'{"type": "and", "filters": [' * depth
    for path, start in (
        ("/query", b'{"question": "Who is it?", "filters": ' + inner),
        ("/query", b'{"question": ' + b"[" * depth),
        ("/index", b'{"documents": ["x"], "metadatas": [' + b'{"a": ' * depth + b"1"),
        ("/index", b'{"documents": ' + b"[" * depth),
    ):
        content = start + bytes(CLOSES[bracket] for bracket in reversed(start) if bracket in CLOSES)
        problem(service.http.post(path, content=content[: 2**16], headers=JSON), 422)


def test_metadata_may_be_nested_as_deep_as_anybody_needs(service):
    index(service.http, TIDES, metadatas=[nested(16)])


@pytest.mark.parametrize("path", ["/query", "/retrieve"])
def test_a_question_is_not_as_large_as_documents_may_be(service, path):
    body = json.dumps({"question": QUESTION, "filters": "x" * 2**16}).encode()
    assert (
        "65536 bytes" in problem(service.http.post(path, content=body, headers=JSON), 413)["detail"]
    )
    pieces = iter([body[:1000], body[1000:]])
    problem(service.http.post(path, content=pieces, headers=JSON), 413)


def test_a_large_body_is_refused(service, too_much):
    response = service.http.post("/index", content=too_much, headers=JSON)
    assert "8388608 bytes" in problem(response, 413)["detail"]


def test_a_large_body_without_an_announced_length_is_refused(service, too_much):
    def parts():
        for start in range(0, len(too_much), 2**16):
            yield too_much[start : start + 2**16]

    problem(service.http.post("/index", content=parts(), headers=JSON), 413)


def test_the_log_holds_no_traceback_and_no_question(service):
    service.http.post("/query", json={"question": "Where is the hidden treasure?"})
    assert "Traceback" not in service.log
    assert "treasure" not in service.log


def test_markup_in_a_question_is_refused_unless_the_settings_let_it_in(run_service):
    service = run_service(RAG_REFUSE_MARKUP="false")
    ask(service.http, "What does <script> mean in {{this}}?")


URL_WORDS = re.compile(r"ur[il]|host|endpoint|path|base|server|proxy|file(?!s$)", re.IGNORECASE)


def test_no_request_chooses_where_the_service_connects(run_service, llm):
    """Trap: a body with a URL lets a stranger send the service's keys anywhere."""
    service = run_service()
    document = service.http.get("/openapi.json").json()
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("Request"):
            for field in schema.get("properties", {}):
                assert not URL_WORDS.search(field), f"{name}.{field}"
    for field in ("llm_base_url", "base_url", "api_base", "model", "milvus_uri", "url", "path"):
        body = {"question": QUESTION, field: llm.url}
        assert fields(problem(post(service, "/query", body), 422)) == [field]
    assert llm.calls == []
