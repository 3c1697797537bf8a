"""Answers are rated by those who were given them, on any replica."""

from __future__ import annotations

import json

import pytest

from tests.service.api import SCALING, ask, counter, fields, index, problem
from tests.service.sse import events
from tests.support.keys import with_key, write_keys
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = "How do I scale the API?"
COMMENT = "Too old.\nforged=yes \x1b[2J 太旧了"
UNKNOWN = {"request_id": "never-given", "rating": "up"}


def settings(model, folder, **more):
    keys = {"acme": {"tenant": "acme"}, "colleague": {"tenant": "acme"}, "umbrella": {}}
    keys["umbrella"]["tenant"] = "umbrella"
    keys["few"] = {"tenant": "acme", "requests_per_minute": 2}
    return {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "RAG_API_KEYS_DIR": str(write_keys(folder, **keys)),
        "RAG_RATE_LIMIT_REQUESTS_PER_MINUTE": "0",
        "RAG_LOG_FORMAT": "json",
        **more,
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory, model, _llm):
    chosen = settings(model, tmp_path_factory.mktemp("keys"), OPENAI_BASE_URL=_llm.url)
    with ServiceProcess(chosen, folder=tmp_path_factory.mktemp("service")) as running:
        index(with_key(running, "acme"), SCALING)
        yield running


@pytest.fixture
def acme(service, llm):
    llm.answer = "It scales with its replicas [1]."
    return with_key(service, "acme")


def rate(http, request_id, rating="up", **more):
    return http.post("/feedback", json={"request_id": request_id, "rating": rating, **more})


def lines(service, request_id):
    """What the log says of ratings of an answer."""
    entries = [json.loads(line) for line in service.log.splitlines() if line.startswith("{")]
    wanted = [each for each in entries if each["event"] == "feedback"]
    return [each for each in wanted if each["request_id"] == request_id]


def counted(http):
    return {each: counter(http, "rag_feedback_total", rating=each) for each in ("up", "down")}


def test_an_answer_is_rated_counted_and_logged_and_a_later_rating_replaces_it(acme, service):
    answer = ask(acme, QUESTION)
    before = counted(acme)
    for rating in ("down", "down", "up"):
        response = rate(acme, answer["request_id"], rating, comment=COMMENT)
        assert (response.status_code, response.content) == (204, b"")
    after = counted(acme)
    assert {each: after[each] - before[each] for each in after} == {"up": 1, "down": 1}
    logged = lines(service, answer["request_id"])
    seen = [(each["rating"], each["tenant"], each.get("replaces")) for each in logged]
    assert seen == [("down", "acme", None), ("down", "acme", "down"), ("up", "acme", "down")]
    for text in (QUESTION, answer["answer"], "Too old", "太旧了"):
        assert text not in json.dumps(logged, ensure_ascii=False)


def test_an_answer_from_the_cache_is_rated_by_its_own_request_id(acme):
    first, second = ask(acme, QUESTION), ask(acme, QUESTION)
    assert second["cached"] == "exact"
    assert first["request_id"] != second["request_id"]
    assert rate(acme, second["request_id"]).status_code == 204


def test_a_streamed_answer_is_rated(acme):
    with acme.stream("POST", "/query", json={"question": QUESTION, "stream": True}) as response:
        final = list(events(response.iter_lines()))[-1]
    assert final.name == "final_answer"
    assert rate(acme, final.data["request_id"]).status_code == 204


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_to_openais_clients_is_rated_by_the_id_in_its_header(acme, stream):
    body = {"model": "ragdeploy", "messages": [{"role": "user", "content": QUESTION}]}
    response = acme.post("/v1/chat/completions", json=body | {"stream": stream})
    assert response.status_code == 200
    assert rate(acme, response.headers["x-request-id"]).status_code == 204


def test_a_colleague_may_rate_an_answer_and_another_tenant_cannot_tell_that_it_is_there(
    acme, service
):
    request_id = ask(acme, QUESTION)["request_id"]
    other = problem(rate(with_key(service, "umbrella"), request_id), 404)
    never = problem(with_key(service, "umbrella").post("/feedback", json=UNKNOWN), 404)
    assert other["type"] == never["type"] == "urn:ragdeploy:problem:no-answer"
    assert other["detail"] == never["detail"]
    assert rate(with_key(service, "colleague"), request_id).status_code == 204


def test_what_was_no_answer_cannot_be_rated(acme):
    found = acme.post("/retrieve", json={"question": QUESTION})
    refused = acme.post("/query", json={"question": "?"})
    for response in (found, refused):
        problem(rate(acme, response.headers["x-request-id"]), 404)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("request_id", ""),
        ("request_id", "two words"),
        ("request_id", None),
        ("rating", "sideways"),
        ("rating", 1),
        ("comment", "x" * 2001),
        ("stars", 5),
    ],
)
def test_bad_input_is_refused_by_the_name_of_its_field(acme, field, wrong):
    assert fields(problem(acme.post("/feedback", json=UNKNOWN | {field: wrong}), 422)) == [field]


def test_ratings_count_as_requests(service):
    few = with_key(service, "few")
    responses = [few.post("/feedback", json=UNKNOWN) for _ in range(6)]
    problem(responses[0], 404)
    [refused, *_] = [each for each in responses if each.status_code == 429]
    assert problem(refused, 429)["violated-policies"] == ["requests"]


def test_replicas_know_each_others_answers_while_redis_is_there(
    run_replica, model, tmp_path, redis_server
):
    chosen = settings(model, tmp_path / "keys", RAG_FEEDBACK_LOG_COMMENTS="true")
    one, two = (run_replica(**chosen) for _ in range(2))
    here, there = with_key(one, "acme"), with_key(two, "acme")
    index(here, SCALING)
    request_id = ask(here, QUESTION)["request_id"]

    def rated():
        response = rate(there, request_id, "down", comment=COMMENT)
        return response.status_code == 204

    eventually(rated, what="the other replica knows the answer")
    problem(rate(with_key(two, "umbrella"), request_id), 404)
    assert rate(here, request_id, "up").status_code == 204
    [first], [second] = lines(two, request_id), lines(one, request_id)
    assert first["comment"] == "Too old. forged=yes  [2J 太旧了"
    assert second["replaces"] == "down"

    redis_server.kill()
    later = ask(here, QUESTION)["request_id"]
    for replica in (here, there):
        response = rate(replica, later)
        assert "Redis" in problem(response, 503)["detail"]
        assert int(response.headers["retry-after"]) > 0
    redis_server.start()
    eventually(
        lambda: rate(there, later).status_code == 204,
        what="an answer that was given meanwhile is rated",
    )
    assert "Traceback" not in one.log + two.log
