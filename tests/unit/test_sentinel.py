"""A Redis behind Sentinels: what is confirmed outlives its master, and the client follows."""

from __future__ import annotations

import asyncio
import signal

import pytest

from ragdeploy_service.adapters.redis.cache import RedisCache
from ragdeploy_service.adapters.redis.client import NotReplicated, confirmed, connect
from ragdeploy_service.adapters.redis.jobs import RedisJobs
from ragdeploy_service.adapters.redis.sentinel_url import SentinelUrl
from ragdeploy_service.rag.errors import CacheUnavailable, ConfigurationError
from ragdeploy_service.rag.models import Document, JobState
from ragdeploy_service.settings import ServiceSettings
from tests.support.domain import HERE
from tests.support.sentinel import ask
from tests.support.waiting import eventually

DOCUMENTS = [Document(id="one", text="One."), Document(id="two", text="NOREPLICAS two.")]
PATIENCE = 60  # a busy machine elects slowly


def client(watched, **options):
    settings = ServiceSettings(redis_url=watched.url)
    return connect(settings, **{"timeout": 5, "connections": 4, "patience": PATIENCE} | options)


@pytest.fixture
async def redis(watched):
    redis = client(watched)
    await redis.flushall()
    yield redis
    await redis.aclose()


@pytest.fixture
def jobs(redis):
    return RedisJobs(redis, namespace="test:{jobs}")


async def test_jobs_go_on_with_the_next_master(watched, jobs):
    waiting = [await jobs.submit(HERE, DOCUMENTS) for _ in range(3)]
    lease = await jobs.take()
    killed = watched.kill_master()
    # Each of these was under way, or began, while there was no master.
    taken_in, held, next_one = await asyncio.gather(
        jobs.submit(HERE, DOCUMENTS, idempotency_key="k"),
        jobs.renew(lease, done=1, total=2),
        jobs.take(),
    )
    assert watched.wait_other_master(killed) != killed
    assert held
    assert next_one.job_id == waiting[1].id
    assert await jobs.finish(lease, errors=[])
    assert (await jobs.get(waiting[0].id)).state is JobState.SUCCEEDED
    assert list((await jobs.take()).documents) == DOCUMENTS
    again = await jobs.submit(HERE, DOCUMENTS, idempotency_key="k")
    assert again.id == taken_in.id
    assert await jobs.pending() == 3


async def test_a_blocking_read_outlives_its_master(watched, jobs):
    assert await jobs.take() is None
    waiting = asyncio.create_task(_taken(jobs))
    await asyncio.sleep(0)
    killed = watched.kill_master()
    watched.wait_other_master(killed)
    job = await jobs.submit(HERE, DOCUMENTS)
    assert (await waiting).job_id == job.id


async def _taken(jobs):
    async with asyncio.timeout(PATIENCE):
        while (lease := await jobs.take()) is None:
            pass
        return lease


async def test_a_master_that_hangs_is_left_for_the_next(watched, redis):
    await redis.set("key", "value")
    await confirmed(redis, lambda to: to.set("key", "value"), seconds=5)
    hanging = watched.master()
    watched.nodes[hanging].signal(signal.SIGSTOP)
    try:
        impatient = client(watched, timeout=1)
        assert await impatient.get("key") == b"value"
        await impatient.aclose()
    finally:
        watched.nodes[hanging].signal(signal.SIGCONT)
    assert watched.wait_other_master(hanging) != hanging


async def test_what_no_replica_has_does_not_count_as_written(watched, redis):
    replicas = [node for port, node in watched.nodes.items() if port != watched.master()]
    for replica in replicas:
        replica.signal(signal.SIGSTOP)
    try:
        with pytest.raises(NotReplicated, match="0 of 1 replicas"):
            await confirmed(redis, lambda to: to.set("key", "value"), seconds=0.1)
    finally:
        for replica in replicas:
            replica.signal(signal.SIGCONT)
    assert await confirmed(redis, lambda to: to.set("key", "value"), seconds=30)


async def test_a_write_waits_until_its_master_has_a_replica_again(watched, redis):
    master = watched.master()
    replicas = [node for port, node in watched.nodes.items() if port != master]

    def refused() -> int:
        """How often the master has refused a write since it has no replica."""
        told = ask(master, "INFO", "errorstats") or {}
        return told.get("errorstat_NOREPLICAS", {}).get("count", 0)

    for replica in replicas:
        replica.signal(signal.SIGSTOP)
    try:
        await asyncio.to_thread(
            eventually, lambda: not ask(master, "SET", "key", "mine"), what="it takes no writes"
        )
        before = refused()
        writing = asyncio.create_task(
            confirmed(redis, lambda to: to.set("key", "value"), seconds=30)
        )
        await asyncio.to_thread(eventually, lambda: refused() > before + 1, what="it waits")
    finally:
        for replica in replicas:
            replica.signal(signal.SIGCONT)
    assert await writing
    assert await redis.get("key") == b"value"


async def test_a_cache_does_not_wait_for_an_election(watched):
    redis = client(watched, timeout=1, patience=1)
    cache = RedisCache(redis, namespace="test:{cache}", ttl_seconds=60)
    before = await cache.get(HERE, "key")
    await cache.advance(HERE)
    moved = (await cache.get(HERE, "key")).epoch
    assert moved != before.epoch
    killed = watched.kill_master()
    with pytest.raises(CacheUnavailable):
        await cache.get(HERE, "key")
    watched.wait_other_master(killed)
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                found = await cache.get(HERE, "key")
                break
            except CacheUnavailable:  # left alone for a moment
                await asyncio.sleep(0.1)
    assert found.epoch == moved  # or answers from before would be good again
    await cache.close()


# ---- the URL ----
def test_a_url_names_sentinels_and_logins():
    url = SentinelUrl.parse(
        "rediss+sentinel://me:p%2Fw@one,[::1]:7000/name/3?sentinel_password=&ssl_ca_certs=/ca.pem"
    )
    assert url.sentinels == (("one", 26379), ("::1", 7000))
    assert url.master == "name"
    tls = {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert url.redis == {"username": "me", "password": "p/w", "db": 3} | tls
    assert url.sentinel == {"username": "me", "password": None} | tls
    plain = SentinelUrl.parse("redis+sentinel://:pw@one/name")
    assert plain.sentinel == {"username": None, "password": "pw"}
    assert plain.redis == {"username": None, "password": "pw", "db": 0}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis+sentinel://:secret@one:26379", "must look like"),
        ("redis+sentinel:///name", "must look like"),
        ("redis+sentinel://:secret@one/name/x", "must look like"),
        ("redis+sentinel://:secret@one/name?timeout=3", "unknown parameters"),
        ("redis+sentinel://:secret@one,,two/name", "has no name"),
        ("redis+sentinel://:secret@one:port/name", "Port could not be cast"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url, words):
    with pytest.raises(ConfigurationError, match=words) as refused:
        connect(ServiceSettings(redis_url=url), timeout=1, connections=1)
    assert "secret" not in str(refused.value)
