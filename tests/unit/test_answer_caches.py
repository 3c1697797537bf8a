"""Answer caches: what they keep, for what, and until when; in the process and in Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragdeploy_service.adapters.memory_cache import MemoryCache, NoCache
from ragdeploy_service.adapters.redis_cache import RedisCache
from ragdeploy_service.adapters.redis_client import connect
from ragdeploy_service.rag.cache import KeyBase, canonical, dump, load
from ragdeploy_service.rag.errors import CacheUnavailable, ConfigurationError
from ragdeploy_service.rag.models import Answer, AnswerMode, Chunk, Passage, Usage
from ragdeploy_service.settings import ServiceSettings

ANSWER = Answer(
    text="Because. 因为。",
    mode=AnswerMode.GENERATED,
    passages=(
        Passage(
            chunk=Chunk(
                id="c",
                document_id="d",
                position=2,
                text="Text",
                metadata={"a": [1, None, {"b": 2}]},
            ),
            score=0.25,
        ),
    ),
    usage=Usage(prompt_tokens=3, completion_tokens=4),
)
BASE = KeyBase(collection="c", embedding="e", llm="l", prompt="p", min_score=0.0)


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
    epoch = (await cache.get("key")).epoch
    await cache.put("key", ANSWER, epoch=epoch)
    found = await cache.get("key")
    assert found.answer == ANSWER
    assert found.epoch == epoch


async def test_another_key_finds_nothing(cache):
    await cache.put("key", ANSWER, epoch=(await cache.get("key")).epoch)
    assert (await cache.get("other")).answer is None


async def test_nothing_outlives_its_epoch(cache):
    await cache.put("key", ANSWER, epoch=(await cache.get("key")).epoch)
    before = (await cache.get("key")).epoch
    await cache.advance()
    found = await cache.get("key")
    assert found.answer is None
    assert found.epoch != before


async def test_an_answer_that_comes_late_is_not_given_out(cache):
    old = (await cache.get("key")).epoch
    await cache.advance()
    await cache.put("key", ANSWER, epoch=old)
    assert (await cache.get("key")).answer is None


async def test_a_late_answer_may_be_replaced_by_a_fresh_one(cache):
    old = (await cache.get("key")).epoch
    await cache.advance()
    await cache.put("key", ANSWER, epoch=old)
    fresh = replace(ANSWER, text="Fresh.")
    await cache.put("key", fresh, epoch=(await cache.get("key")).epoch)
    assert (await cache.get("key")).answer == fresh


async def test_no_cache_knows_no_epoch():
    cache = NoCache()
    await cache.put("key", ANSWER, epoch="e")
    assert (await cache.get("key")).epoch is None
    assert (await cache.get("key")).answer is None


async def test_answers_expire_in_memory():
    now = 0.0
    cache = MemoryCache(ttl_seconds=10, clock=lambda: now)
    await cache.put("key", ANSWER, epoch=(await cache.get("key")).epoch)
    now = 9.9
    assert (await cache.get("key")).answer == ANSWER
    now = 10.1
    assert (await cache.get("key")).answer is None


async def test_an_epoch_that_redis_lost_does_not_bring_old_answers_back(redis_server):
    redis = connect(ServiceSettings(redis_url=redis_server.url), timeout=1, connections=4)
    cache = RedisCache(redis, namespace="test", ttl_seconds=60)
    await cache.put("key", ANSWER, epoch=(await cache.get("key")).epoch)
    await redis.delete("test:epoch")
    assert (await cache.get("key")).answer is None
    await cache.close()


async def test_a_dead_redis_is_not_asked_for_every_question(redis_server):
    redis = connect(ServiceSettings(redis_url=redis_server.url), timeout=1, connections=4)
    cache = RedisCache(redis, namespace="test", ttl_seconds=60)
    redis_server.kill()
    with pytest.raises(CacheUnavailable, match="does not answer"):
        await cache.get("key")
    with pytest.raises(CacheUnavailable, match="a moment ago"):
        await cache.get("key")
    # An epoch that is not moved would let old answers live, so that is always tried.
    with pytest.raises(CacheUnavailable, match="does not answer"):
        await cache.advance()
    await cache.close()


def test_a_record_of_another_question_is_not_read():
    record = dump(ANSWER, key="key", epoch="e")
    assert load(record, key="key", epoch="e") == ANSWER
    assert load(record, key="other", epoch="e") is None
    assert load(record, key="key", epoch="f") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("collection", "x"), ("embedding", "x"), ("llm", "x"), ("prompt", "x"), ("min_score", 0.1)],
)
def test_all_that_an_answer_depends_on_is_in_its_key(field, value):
    other = replace(BASE, **{field: value})
    assert other.key("Why?", top_k=3) != BASE.key("Why?", top_k=3)


def test_question_and_top_k_are_in_the_key():
    keys = {BASE.key(q, top_k=k) for q in ("Why?", "Who?", "who?") for k in (1, 2)}
    assert len(keys) == 6


def test_spellings_of_one_question_share_a_key():
    assert canonical(" caf\u00e9\t\n ok") == canonical("cafe\u0301 ok") == "caf\u00e9 ok"


@pytest.mark.parametrize("url", ["http://:secret@host", "host:6379", "redis://:secret@host:port"])
def test_a_wrong_url_is_told_without_its_password(url):
    with pytest.raises(ConfigurationError, match="RAG_REDIS_URL") as told:
        connect(ServiceSettings(redis_url=url), timeout=1, connections=1)
    assert "secret" not in str(told.value)
