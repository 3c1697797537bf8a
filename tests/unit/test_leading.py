"""Work that one of several replicas does for all."""

from __future__ import annotations

import asyncio

import pytest

from ragdeploy_service.adapters.redis.cache import RedisCache
from ragdeploy_service.adapters.redis.client import connect
from ragdeploy_service.rag.concurrency.leading import Leading
from ragdeploy_service.settings import ServiceSettings


class CountingLeases(RedisCache):
    """Counts how often a lease was taken or renewed."""

    acquired = 0

    async def acquire(self, name, holder):
        held = await super().acquire(name, holder)
        self.acquired += held
        return held


class Replica:
    """One process that shares a Redis with the others, and what they have made."""

    def __init__(self, url, made):
        redis = connect(ServiceSettings(redis_url=url), timeout=1, connections=8)
        self.leases = CountingLeases(redis, namespace="test", ttl_seconds=60)
        self.leading = Leading(self.leases)
        self.made = made
        self.begun = 0
        self.looks = 0
        self.may_end = asyncio.Event()

    async def work(self):
        self.begun += 1
        await self.may_end.wait()
        self.made.append("done")
        return "done"

    async def look(self):
        self.looks += 1
        return self.made[-1] if self.made else None

    def start(self):
        return asyncio.create_task(self.leading.once("work", self.work, look=self.look))


@pytest.fixture
async def replicas(redis_server):
    made = []
    replicas = [Replica(redis_server.url, made) for _ in range(2)]
    yield replicas
    for replica in replicas:
        await replica.leases.close()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_one_replica_works_and_all_have_what_comes_of_it(replicas):
    one, two = replicas
    leader = one.start()
    await until(lambda: one.begun)
    follower = two.start()
    await until(lambda: two.looks > 2)
    one.may_end.set()
    assert await asyncio.gather(leader, follower) == ["done", "done"]
    assert (one.begun, two.begun) == (1, 0)


async def test_a_leader_that_gives_up_makes_way_at_once(replicas):
    one, two = replicas
    leader = one.start()
    await until(lambda: one.begun)
    follower = two.start()
    two.may_end.set()
    leader.cancel()
    assert await follower == "done"
    assert two.begun == 1


async def test_a_leader_that_dies_makes_way(replicas, redis_server):
    one, two = replicas
    assert await one.leases.acquire("work", "of a process that was killed")
    two.may_end.set()
    assert await two.start() == "done"
    assert two.begun == 1


async def test_a_leader_that_takes_long_stays_the_leader(replicas, monkeypatch):
    monkeypatch.setattr(RedisCache, "seconds", 0.3)
    one, two = replicas
    leader = one.start()
    await until(lambda: one.begun)
    follower = two.start()
    await until(lambda: one.leases.acquired > 6)  # the lease would have ended twice
    one.may_end.set()
    await asyncio.gather(leader, follower)
    assert two.begun == 0


async def test_a_follower_that_leaves_takes_nothing_from_the_others(replicas):
    one, two = replicas
    leader = one.start()
    await until(lambda: one.begun)
    follower = two.start()
    await until(lambda: two.looks)
    follower.cancel()
    one.may_end.set()
    assert await leader == "done"


async def test_work_of_a_leader_that_failed_is_done_by_the_next(replicas):
    one, two = replicas

    async def fail():
        one.begun += 1
        await one.may_end.wait()
        raise ValueError

    leader = asyncio.create_task(one.leading.once("work", fail, look=one.look))
    await until(lambda: one.begun)
    follower = two.start()
    one.may_end.set()
    two.may_end.set()
    with pytest.raises(ValueError):
        await leader
    assert await follower == "done"


async def test_without_redis_everybody_works(replicas, redis_server):
    one, two = replicas
    redis_server.kill()
    for replica in replicas:
        replica.may_end.set()
        assert await replica.leading.once("work", replica.work, look=replica.look) == "done"
    assert (one.begun, two.begun) == (1, 1)


async def test_a_process_that_is_alone_works():
    async def work():
        return "done"

    async def look():
        pytest.fail("nobody else could have done it")

    assert await Leading(None).once("work", work, look=look) == "done"
