"""Meters: what callers use, counted in the process and in Redis."""

from __future__ import annotations

import asyncio

import pytest

from ragdeploy_service.adapters.memory_meter import MemoryMeter
from ragdeploy_service.adapters.redis import meter as redis_meter
from ragdeploy_service.adapters.redis.client import connect
from ragdeploy_service.adapters.redis.meter import RedisMeter
from ragdeploy_service.rag.access import Budget, Limits, Period, Principal
from ragdeploy_service.rag.quota import Counters, admitted, charged
from ragdeploy_service.settings import ServiceSettings

LIMITS = Limits(
    requests_per_minute=7,
    tokens_per_minute=900,
    budget=Budget(tokens=5000, period=Period.MONTH),
)


def caller(key_id: str = "key", tenant: str = "acme", limits: Limits = LIMITS) -> Principal:
    return Principal(key_id=key_id, tenant=tenant, scopes=frozenset(), limits=limits)


def redis_meter_on(url: str, *, timeout: float = 1) -> RedisMeter:
    redis = connect(ServiceSettings(redis_url=url), timeout=timeout, connections=8)
    return RedisMeter(redis, namespace="test:{meter}")


@pytest.fixture(params=["memory", "redis"])
async def meter(request):
    if request.param == "memory":
        yield MemoryMeter()
        return
    meter = redis_meter_on(request.getfixturevalue("redis_server").url)
    yield meter
    await meter.close()


@pytest.fixture
async def replicas(redis_server):
    both = [redis_meter_on(redis_server.url) for _ in range(2)]
    yield both
    for each in both:
        await each.close()


async def admissions(*meters, times: int, who: Principal) -> int:
    """Ask all at once; how many were let in."""
    readings = await asyncio.gather(*(meter.admit(who) for _ in range(times) for meter in meters))
    return sum(reading.admitted for reading in readings)


async def test_as_many_are_let_in_at_once_as_the_limit_says(meter):
    assert await admissions(meter, times=40, who=caller()) == 7


async def test_keys_are_counted_by_themselves_and_by_tenant(meter):
    assert await admissions(meter, times=10, who=caller()) == 7
    assert await admissions(meter, times=10, who=caller("other")) == 7
    assert await admissions(meter, times=10, who=caller(tenant="umbrella")) == 7


async def test_every_step_is_the_one_that_the_arithmetic_takes(meter):
    expected = Counters()
    for number in range(20):
        if number % 3:
            reading = await meter.admit(caller())
            after = admitted(expected, LIMITS, now=reading.now)
            assert reading.admitted == (after is not None)
            expected = after or expected
        else:
            reading = await meter.charge(caller(), tokens=number * 11 + 1)
            expected = charged(expected, LIMITS, tokens=number * 11 + 1, now=reading.now)
        assert reading.counters.requests == expected.requests
        assert reading.counters.tokens == expected.tokens
        assert reading.counters.spent == expected.spent


@pytest.mark.parametrize(
    "limits", [Limits(), Limits(tokens_per_minute=5), Limits(requests_per_minute=5)]
)
async def test_what_is_not_limited_is_not_counted(meter, limits):
    who = caller(limits=limits)
    for _ in range(3):
        admission = await meter.admit(who)
        bill = await meter.charge(who, tokens=1000)
        assert admission.admitted
    assert (bill.counters.requests > 0) == (limits.requests_per_minute is not None)
    assert (bill.counters.tokens > 0) == (limits.tokens_per_minute is not None)
    assert bill.counters.spent == 0


async def test_replicas_count_together_in_one_step(replicas):
    """A limiter that reads and then writes lets in up to twice as many here."""
    assert await admissions(*replicas, times=40, who=caller()) == 7


async def test_replicas_spend_one_budget(replicas):
    first, second = replicas
    await first.charge(caller(), tokens=300)
    assert (await second.charge(caller(), tokens=50)).counters.spent == 350
    assert (await first.admit(caller())).counters.spent == 350


async def test_without_redis_each_replica_goes_on_from_what_it_knows(redis_server):
    meter = redis_meter_on(redis_server.url, timeout=0.25)
    assert await admissions(meter, times=5, who=caller()) == 5
    await meter.charge(caller(), tokens=100)
    redis_server.kill()
    assert await admissions(meter, times=20, who=caller()) == 2
    assert (await meter.charge(caller(), tokens=50)).counters.spent == 150
    await meter.close()


async def test_a_redis_that_comes_back_empty_is_told_what_was_spent(redis_server, monkeypatch):
    monkeypatch.setattr(redis_meter, "_COOL_DOWN_SECONDS", 0.0)
    meter = redis_meter_on(redis_server.url, timeout=0.25)
    await meter.charge(caller(), tokens=100)
    redis_server.kill()
    await meter.charge(caller(), tokens=20)
    redis_server.start()
    await meter.charge(caller(), tokens=3)
    newcomer = redis_meter_on(redis_server.url)
    assert (await newcomer.admit(caller())).counters.spent == 123
    await meter.close()
    await newcomer.close()


async def test_nothing_is_kept_longer_than_it_counts(redis_server):
    meter = redis_meter_on(redis_server.url)
    await meter.admit(caller())
    await meter.charge(caller(), tokens=10)
    for key in ("requests:acme/key", "tokens:acme/key"):
        ttl = redis_server.ask(f"TTL test:{{meter}}:{key}")
        assert 1 <= int(ttl.removeprefix(":")) <= 60
    await meter.close()
