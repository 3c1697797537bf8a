"""What remembers answers and their ratings, in the process and in Redis."""

from __future__ import annotations

import pytest

from ragdeploy_service.adapters.memory_feedback import MemoryFeedback
from ragdeploy_service.adapters.redis import feedback as redis_feedback
from ragdeploy_service.adapters.redis.client import connect
from ragdeploy_service.adapters.redis.feedback import RedisFeedback
from ragdeploy_service.rag.errors import AnswerUnknown, FeedbackUnavailable
from ragdeploy_service.rag.models import Rating
from ragdeploy_service.settings import ServiceSettings


def redis_store_on(url: str, *, ttl_seconds: int = 3600) -> RedisFeedback:
    redis = connect(ServiceSettings(redis_url=url), timeout=5, connections=4)
    return RedisFeedback(redis, namespace="test:{feedback}", ttl_seconds=ttl_seconds)


@pytest.fixture(params=["memory", "redis"])
async def store(request):
    if request.param == "memory":
        yield MemoryFeedback(ttl_seconds=3600)
        return
    store = redis_store_on(request.getfixturevalue("redis_server").url)
    yield store
    await store.close()


async def test_a_rating_says_which_one_it_replaces(store):
    store.remember("acme", "one")
    assert await store.rate("acme", "one", Rating.UP) is None
    assert await store.rate("acme", "one", Rating.DOWN) is Rating.UP
    store.remember("acme", "one")  # an id that its caller has used again
    assert await store.rate("acme", "one", Rating.DOWN) is Rating.DOWN


async def test_only_the_tenants_own_answers_are_known(store):
    store.remember("acme", "one")
    for tenant, request_id in (("umbrella", "one"), ("acme", "two")):
        with pytest.raises(AnswerUnknown):
            await store.rate(tenant, request_id, Rating.UP)


async def test_in_memory_an_answer_is_forgotten_after_its_time_or_for_others():
    now = 0.0
    store = MemoryFeedback(ttl_seconds=10, most=2, clock=lambda: now)
    for request_id in ("one", "two", "three"):
        store.remember("acme", request_id)
    with pytest.raises(AnswerUnknown):
        await store.rate("acme", "one", Rating.UP)
    assert await store.rate("acme", "two", Rating.UP) is None
    now = 11.0
    with pytest.raises(AnswerUnknown):
        await store.rate("acme", "two", Rating.UP)


async def test_in_redis_the_oldest_go_first_and_nothing_stays_for_ever(redis_server, monkeypatch):
    monkeypatch.setattr(redis_feedback, "MOST_ANSWERS", 2)
    store = redis_store_on(redis_server.url, ttl_seconds=100)
    for request_id in ("1", "2", "3"):  # all in one second, and so by name
        store.remember("acme", request_id)
        await store.rate("acme", request_id, Rating.UP)
    with pytest.raises(AnswerUnknown):
        await store.rate("acme", "1", Rating.UP)
    for key in ("given:acme", "rating:acme:3"):
        assert 0 < int(redis_server.ask(f"TTL test:{{feedback}}:{key}")[1:]) <= 100
    await store.close()


async def test_in_redis_an_answer_is_forgotten_after_its_time(redis_server):
    store = redis_store_on(redis_server.url)
    store.remember("acme", "one")
    await store.rate("acme", "one", Rating.UP)
    redis_server.ask("ZADD test:{feedback}:given:acme 1 one")  # its time was up in 1970
    with pytest.raises(AnswerUnknown):
        await store.rate("acme", "one", Rating.UP)
    await store.close()


async def test_answers_given_while_redis_is_away_can_be_rated_when_it_is_back(redis_server):
    store, other = redis_store_on(redis_server.url), redis_store_on(redis_server.url)
    redis_server.kill()
    for n in range(600):  # more than go out at once
        store.remember("acme", f"answer-{n}")
    with pytest.raises(FeedbackUnavailable):
        await store.rate("acme", "answer-0", Rating.UP)
    redis_server.start()
    await store.close()  # writes what still waits
    assert await other.rate("acme", "answer-0", Rating.UP) is None
    assert await other.rate("acme", "answer-599", Rating.UP) is None
    await other.close()
