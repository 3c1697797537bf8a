"""Answer caches: what they keep, for what, and until when; in the process and in Redis."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

import pytest

from ragdeploy_service.adapters.memory_cache import MemoryCache, NoCache
from ragdeploy_service.adapters.redis.cache import RedisCache
from ragdeploy_service.adapters.redis.client import connect
from ragdeploy_service.rag.caching.records import Kept, KeyBase, dump, load
from ragdeploy_service.rag.errors import CacheUnavailable, ConfigurationError
from ragdeploy_service.rag.filters import Comparison, Compound, Junction, Operator
from ragdeploy_service.rag.models import Answer, AnswerMode, Chunk, Passage, SearchMode, Usage
from ragdeploy_service.rag.text import canonical
from ragdeploy_service.settings import ServiceSettings
from tests.support.domain import ELSEWHERE, HERE, QUESTION

ANSWER = Answer(
    text="Because. 因为。",
    mode=AnswerMode.GENERATED,
    passages=(
        Passage(
            chunk=Chunk(
                id="c",
                document_id="d",
                position=2,
                start=40,
                text="Text",
                metadata={"a": [1, None, {"b": 2}]},
            ),
            score=0.25,
            dense_score=0.25,
            sparse_score=3.5,
        ),
    ),
    usage=Usage(prompt_tokens=3, completion_tokens=4),
)
BASE = KeyBase(store="s", embedding="e", reranker="r", llm="l", prompt="p")


@pytest.fixture(params=["memory", "redis"])
async def cache(request):
    if request.param == "memory":
        yield MemoryCache(ttl_seconds=60)
        return
    settings = ServiceSettings(redis_url=request.getfixturevalue("redis_server").url)
    redis = connect(settings, timeout=1, connections=4)
    cache = RedisCache(redis, namespace="test:{cache}", ttl_seconds=60)
    yield cache
    await cache.close()


async def test_an_answer_comes_back_whole(cache):
    epoch = (await cache.get(HERE, "key")).epoch
    await cache.put(HERE, "key", ANSWER, epoch=epoch)
    found = await cache.get(HERE, "key")
    assert found.answer == ANSWER
    assert found.epoch == epoch


async def test_another_key_finds_nothing(cache):
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    assert (await cache.get(HERE, "other")).answer is None


async def test_nothing_outlives_its_epoch(cache):
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    before = (await cache.get(HERE, "key")).epoch
    await cache.advance(HERE)
    found = await cache.get(HERE, "key")
    assert found.answer is None
    assert found.epoch != before


async def test_each_of_many_who_look_at_once_finds_what_is_kept_for_it(cache):
    places = [HERE, ELSEWHERE] * 40
    for number, place in enumerate(places):
        if number % 3:
            epoch = (await cache.get(place, f"key {number}")).epoch
            answer = replace(ANSWER, text=f"answer {number}")
            await cache.put(place, f"key {number}", answer, epoch=epoch)
    looks = (cache.get(place, f"key {number}") for number, place in enumerate(places))
    found = [lookup.answer for lookup in await asyncio.gather(*looks)]
    assert [answer and answer.text for answer in found] == [
        f"answer {number}" if number % 3 else None for number in range(len(places))
    ]


async def test_who_looks_after_a_change_knows_it_though_others_look_at_the_same_time(cache):
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    looking = [asyncio.create_task(cache.get(HERE, "key")) for _ in range(5)]
    await asyncio.sleep(0)  # they have begun
    await cache.advance(HERE)
    assert (await cache.get(HERE, "key")).answer is None
    await asyncio.gather(*looking)


async def test_who_stops_looking_takes_nothing_from_others(cache):
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    looking = [asyncio.create_task(cache.get(HERE, "key")) for _ in range(5)]
    await asyncio.sleep(0)
    for impatient in looking[::2]:
        impatient.cancel()
    found = [await looker for looker in looking[1::2]]
    assert [lookup.answer for lookup in found] == [ANSWER, ANSWER]


async def test_an_epoch_is_of_one_collection(cache):
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    await cache.advance(ELSEWHERE)
    assert (await cache.get(HERE, "key")).answer == ANSWER


async def test_after_a_change_the_old_answer_is_stale_and_after_a_deletion_it_is_nothing(cache):
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    await cache.forget(ELSEWHERE)
    await cache.advance(HERE)
    assert (await cache.get(HERE, "key")).stale == ANSWER
    await cache.forget(HERE)
    assert (await cache.get(HERE, "key")).stale is None
    await cache.advance(HERE)
    found = await cache.get(HERE, "key")
    assert (found.answer, found.stale) == (None, None)


async def test_an_answer_from_before_a_deletion_that_comes_late_is_not_even_stale(cache):
    old = (await cache.get(HERE, "key")).epoch
    await cache.forget(HERE)
    await cache.put(HERE, "key", ANSWER, epoch=old)
    found = await cache.get(HERE, "key")
    assert (found.answer, found.stale) == (None, None)


async def test_an_answer_that_comes_late_is_not_given_out(cache):
    old = (await cache.get(HERE, "key")).epoch
    await cache.advance(HERE)
    await cache.put(HERE, "key", ANSWER, epoch=old)
    assert (await cache.get(HERE, "key")).answer is None


async def test_a_late_answer_may_be_replaced_by_a_fresh_one(cache):
    old = (await cache.get(HERE, "key")).epoch
    await cache.advance(HERE)
    await cache.put(HERE, "key", ANSWER, epoch=old)
    fresh = replace(ANSWER, text="Fresh.")
    await cache.put(HERE, "key", fresh, epoch=(await cache.get(HERE, "key")).epoch)
    assert (await cache.get(HERE, "key")).answer == fresh


async def test_no_cache_knows_no_epoch():
    cache = NoCache()
    await cache.put(HERE, "key", ANSWER, epoch="e")
    assert (await cache.get(HERE, "key")).epoch is None
    assert (await cache.get(HERE, "key")).answer is None


async def test_answers_expire_in_memory():
    now = 0.0
    cache = MemoryCache(ttl_seconds=10, clock=lambda: now)
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    now = 9.9
    assert (await cache.get(HERE, "key")).answer == ANSWER
    now = 10.1
    assert (await cache.get(HERE, "key")).answer is None


async def test_an_epoch_that_redis_lost_does_not_bring_old_answers_back(redis_server):
    redis = connect(ServiceSettings(redis_url=redis_server.url), timeout=1, connections=4)
    cache = RedisCache(redis, namespace="test", ttl_seconds=60)
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    await redis.delete("test:epoch:default/documents")
    assert (await cache.get(HERE, "key")).answer is None
    await cache.close()


async def test_a_dead_redis_is_not_asked_for_every_question(redis_server):
    redis = connect(ServiceSettings(redis_url=redis_server.url), timeout=1, connections=4)
    cache = RedisCache(redis, namespace="test", ttl_seconds=60)
    redis_server.kill()
    with pytest.raises(CacheUnavailable, match="does not answer"):
        await cache.get(HERE, "key")
    with pytest.raises(CacheUnavailable, match="left alone"):
        await cache.get(HERE, "key")
    # An epoch that is not moved would let old answers live, so that is always tried.
    with pytest.raises(CacheUnavailable, match="does not answer"):
        await cache.advance(HERE)
    await cache.close()


def test_a_record_of_another_question_is_not_read():
    kept = Kept(answer=ANSWER, epoch="e", expires=7.5)
    record = dump(kept, key="key")
    assert load(record, key="key") == kept
    assert load(record, key="other") is None


async def test_an_answer_of_an_earlier_epoch_is_stale(cache):
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    assert (await cache.get(HERE, "key")).stale is None
    await cache.advance(HERE)
    assert (await cache.get(HERE, "key")).stale == ANSWER


async def test_an_expired_answer_is_stale_for_a_while():
    now = 0.0
    cache = MemoryCache(ttl_seconds=10, stale_seconds=5, clock=lambda: now)
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    now = 14.9
    found = await cache.get(HERE, "key")
    assert (found.answer, found.stale) == (None, ANSWER)
    now = 15.1
    assert (await cache.get(HERE, "key")).stale is None


async def test_an_expired_answer_in_redis_is_stale_for_a_while(redis_server):
    redis = connect(ServiceSettings(redis_url=redis_server.url), timeout=1, connections=4)
    cache = RedisCache(redis, namespace="test", ttl_seconds=0, stale_seconds=60)
    await cache.put(HERE, "key", ANSWER, epoch=(await cache.get(HERE, "key")).epoch)
    found = await cache.get(HERE, "key")
    assert (found.answer, found.stale) == (None, ANSWER)
    assert 0 < await redis.ttl("test:answer:key") <= 60
    await cache.close()


async def test_a_lease_has_one_holder_until_it_is_given_back_or_ends(redis_server):
    redis = connect(ServiceSettings(redis_url=redis_server.url), timeout=1, connections=4)
    leases = RedisCache(redis, namespace="test", ttl_seconds=60)
    assert await leases.acquire("work", "one")
    assert await leases.acquire("work", "one")
    assert not await leases.acquire("work", "two")
    await leases.release("work", "two")
    assert not await leases.acquire("work", "two")
    await leases.release("work", "one")
    assert await leases.acquire("work", "two")
    assert 0 < await redis.pttl("test:lease:work") <= 3000
    await leases.close()


@pytest.mark.parametrize("field", [field.name for field in fields(KeyBase)])
def test_all_that_the_service_is_set_up_with_is_in_the_key(field):
    assert replace(BASE, **{field: "x"}).key(QUESTION) != BASE.key(QUESTION)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Who?"},
        {"text": "why?"},
        {"collection": ELSEWHERE},
        {"collection": replace(HERE, name="other")},
        {"top_k": 4},
        {"mode": SearchMode.HYBRID},
        {"min_score": 0.1},
        {"rerank": True},
        {"where": Comparison(key="a", operator=Operator.EQ, value=1)},
    ],
)
def test_all_that_a_question_asks_for_is_in_the_key(change):
    assert BASE.key(replace(QUESTION, **change)) != BASE.key(QUESTION)


def test_filters_that_differ_only_in_a_type_have_keys_of_their_own():
    wheres = [
        Comparison(key="a", operator=Operator.EQ, value=1),
        Comparison(key="a", operator=Operator.EQ, value="1"),
        Comparison(key="a", operator=Operator.EQ, value=True),
        Comparison(key="a", operator=Operator.IN, value=(1,)),
        Compound(
            junction=Junction.AND,
            filters=(Comparison(key="a", operator=Operator.EQ, value=1),),
        ),
    ]
    assert len({BASE.key(replace(QUESTION, where=where)) for where in wheres}) == 5


def test_spellings_of_one_question_share_a_key():
    assert canonical(" caf\u00e9\t\n ok") == canonical("cafe\u0301 ok") == "caf\u00e9 ok"


@pytest.mark.parametrize("url", ["http://:secret@host", "host:6379", "redis://:secret@host:port"])
def test_a_wrong_url_is_told_without_its_password(url):
    with pytest.raises(ConfigurationError, match="RAG_REDIS_URL") as told:
        connect(ServiceSettings(redis_url=url), timeout=1, connections=1)
    assert "secret" not in str(told.value)
