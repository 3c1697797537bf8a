"""How much a key may use: requests, tokens, and a budget; over all replicas."""

from __future__ import annotations

import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.api import SCALING, ask, counter, index, problem
from tests.service.sse import events
from tests.support.keys import with_key, write_keys
from tests.support.waiting import eventually

QUESTION = {"question": "How do I scale the API?"}
TOKENS_PER_ANSWER = 106  # of the stand-in: 100 for the prompt, and the words of its answer


def statuses(*clients, times):
    """Ask all of them at once, so many times each."""
    with ThreadPoolExecutor(16) as pool:
        answers = [
            pool.submit(client.post, "/query", json=QUESTION)
            for _ in range(times)
            for client in clients
        ]
        return [answer.result().status_code for answer in answers]


def generated(client, number):
    """Ask something that nobody has asked before."""
    return client.post("/query", json={"question": f"How do I scale the API {number} times?"})


@pytest.fixture
def keys(tmp_path):
    return write_keys(
        tmp_path / "keys",
        free={"requests_per_minute": 0},
        seven={"requests_per_minute": 7},
        plain={},
        talker={"requests_per_minute": 0, "tokens_per_minute": 110},
        saver={"requests_per_minute": 0, "budget": {"tokens": 150, "period": "month"}},
    )


def test_a_minutes_requests_and_no_more_with_the_state_in_the_headers(run_service, keys):
    service = run_service(RAG_API_KEYS_DIR=str(keys))
    client = with_key(service, "seven")
    first = client.post("/query", json=QUESTION)
    assert first.headers["ratelimit-policy"] == '"requests";q=7;w=60'
    assert first.headers["ratelimit"] == '"requests";r=6;t=9'
    assert sorted(statuses(client, times=10)) == [200] * 6 + [429] * 4
    refused = client.post("/query", json=QUESTION)
    details = problem(refused, 429)
    assert "7 requests a minute" in details["detail"]
    assert details["violated-policies"] == ["requests"]
    assert 1 <= int(refused.headers["retry-after"]) <= 9
    assert re.fullmatch(r'"requests";r=0;t=\d', refused.headers["ratelimit"])
    assert counter(service.http, "rag_limited_total", policy="requests") == 5


def test_ten_a_minute_where_nobody_says_otherwise(run_service, keys):
    service = run_service(RAG_API_KEYS_DIR=str(keys))
    assert sorted(statuses(with_key(service, "plain"), times=14)) == [200] * 10 + [429] * 4


def test_without_a_key_there_is_no_limit_on_loopback(run_service):
    service = run_service()
    assert set(statuses(service.http, times=15)) == {200}
    assert "ratelimit" not in service.http.post("/query", json=QUESTION).headers


def test_bodies_that_are_wrong_count_too_and_are_not_read_any_more(run_service, keys):
    client = with_key(run_service(RAG_API_KEYS_DIR=str(keys)), "seven")
    for _ in range(7):
        problem(client.post("/query", content=b"{", headers={"Content-Type": "text/json"}), 415)
    # 9 MB would be refused with 413 if anybody looked at it.
    problem(client.post("/query", content=b"x" * 9 * 2**20), 429)


def test_looking_costs_nothing(run_service, keys):
    service = run_service(RAG_API_KEYS_DIR=str(keys))
    client = with_key(service, "seven")
    job = index(client, SCALING)["job_id"]
    for _ in range(20):
        assert client.get(f"/jobs/{job}").status_code == 200
        for path in ("/health", "/health/live", "/health/ready", "/metrics"):
            assert client.get(path).status_code == 200
    assert client.post("/query", json=QUESTION).headers["ratelimit"].startswith('"requests";r=5')


def test_replicas_share_a_limit(run_replica, keys):
    """Trap: a limiter that is not atomic, or counts in each process, lets more in."""
    first = with_key(run_replica(RAG_API_KEYS_DIR=str(keys)), "seven")
    second = with_key(run_replica(RAG_API_KEYS_DIR=str(keys)), "seven")
    assert sorted(statuses(first, second, times=10)) == [200] * 7 + [429] * 13


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "hanging"])
def test_without_redis_each_replica_counts_for_itself(run_replica, keys, redis_server, end):
    client = with_key(run_replica(RAG_API_KEYS_DIR=str(keys)), "seven")
    assert statuses(client, times=5) == [200] * 5
    redis_server.process.signal(end)
    try:
        assert sorted(statuses(client, times=10)) == [200] * 2 + [429] * 8
    finally:
        redis_server.kill()


def test_a_redis_that_refuses_writes_does_not_refuse_requests(run_replica, keys, redis_server):
    client = with_key(run_replica(RAG_API_KEYS_DIR=str(keys)), "seven")
    assert statuses(client, times=5) == [200] * 5
    redis_server.ask("CONFIG SET maxmemory 1")
    redis_server.ask("CONFIG SET maxmemory-policy noeviction")
    try:
        assert sorted(statuses(client, times=10)) == [200] * 2 + [429] * 8
    finally:
        redis_server.kill()


def test_tokens_of_the_language_model_are_limited_and_extracts_are_not(run_service, keys, llm):
    service = run_service(RAG_API_KEYS_DIR=str(keys), OPENAI_BASE_URL=llm.url)
    index(with_key(service, "free"), SCALING)
    client = with_key(service, "talker")
    for number in range(2):
        assert generated(client, number).status_code == 200
    refused = generated(client, 3)
    details = problem(refused, 429)
    assert "110 tokens" in details["detail"]
    assert details["violated-policies"] == ["tokens"]
    assert int(refused.headers["retry-after"]) > 20
    assert len(llm.calls) == 2
    assert client.post("/retrieve", json=QUESTION).status_code == 200


def test_a_budget_is_spent_over_all_replicas_and_what_is_cached_costs_nothing(
    run_replica, keys, llm
):
    settings = {"RAG_API_KEYS_DIR": str(keys), "OPENAI_BASE_URL": llm.url}
    first, second = run_replica(**settings), run_replica(**settings)
    index(with_key(first, "free"), SCALING)
    one, other = with_key(first, "saver"), with_key(second, "saver")
    answer = generated(one, 1)
    assert answer.json()["usage"]["prompt_tokens"] == 100
    assert answer.headers["ratelimit-policy"].startswith('"budget";q=150;qu="tokens";w=')
    assert answer.headers["ratelimit"].startswith(f'"budget";r={150 - TOKENS_PER_ANSWER};t=')
    for _ in range(3):
        again = generated(other, 1)
        assert again.json()["cached"] == "exact"
        assert again.headers["ratelimit"].startswith(f'"budget";r={150 - TOKENS_PER_ANSWER};t=')
    assert generated(other, 2).status_code == 200
    refused = generated(one, 3)
    details = problem(refused, 429)
    assert details["violated-policies"] == ["budget"]
    assert re.search(
        r"150 tokens a month 0 are left. It begins anew at \d{4}-\d\d-01T00:00Z", details["detail"]
    )
    assert refused.headers["ratelimit"].startswith('"budget";r=0;t=')
    assert generated(one, 1).json()["cached"] == "exact"
    assert len(llm.calls) == 2


def test_an_answer_that_nobody_waits_for_is_charged_as_far_as_it_has_come(run_service, keys, llm):
    service = run_service(RAG_API_KEYS_DIR=str(keys), OPENAI_BASE_URL=llm.url)
    index(with_key(service, "free"), SCALING)
    client = with_key(service, "talker")
    llm.delay = 20
    body = {**QUESTION, "stream": True}
    with client.stream("POST", "/query", json=body) as response:
        next(event for event in events(response.iter_lines()) if event.name == "message")
    payer = {"key": "talker", "model": "gpt-4o-mini", "tenant": "default"}
    eventually(
        lambda: counter(service.http, "rag_llm_calls_total", **payer) == 1, what="it is charged"
    )
    assert problem(generated(client, 2), 429)["violated-policies"] == ["tokens"]


def test_tokens_and_calls_are_counted_by_key_tenant_and_model(run_service, keys, llm):
    service = run_service(
        RAG_API_KEYS_DIR=str(keys), OPENAI_BASE_URL=llm.url, RAG_LLM_MODEL="stand-in"
    )
    client = with_key(service, "free")
    index(client, SCALING)
    used = [ask(client, f"How do I scale {number}?")["usage"] for number in range(3)]
    ask(client, "How do I scale 0?")  # from the cache
    payer = {"key": "free", "model": "stand-in", "tenant": "default"}
    assert counter(client, "rag_llm_calls_total", **payer) == 3
    completion = {"key": "free", "kind": "completion", "model": "stand-in", "tenant": "default"}
    assert counter(client, "rag_llm_tokens_total", **completion) == sum(
        usage["completion_tokens"] for usage in used
    )


def test_a_changed_limit_counts_at_once(run_service, keys):
    service = run_service(RAG_API_KEYS_DIR=str(keys))
    client = with_key(service, "seven")
    statuses(client, times=10)
    write_keys(keys, seven={"requests_per_minute": 700})
    eventually(
        lambda: client.post("/query", json=QUESTION).status_code == 200, what="the limit is higher"
    )
