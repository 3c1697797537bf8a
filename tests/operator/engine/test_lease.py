"""The lease: one holder, taken over in time, given up in time."""

import asyncio

import pytest

from ragdeploy_operator.engine.lease import Lease, LeaseLost
from tests.operator.engine.fake_api import DOWN, FakeApi

pytestmark = pytest.mark.looptime

NAME = "ragdeploy-operator"


@pytest.fixture
def api():
    return FakeApi()


def contender(api, identity):
    return Lease(api, namespace="demo", name=NAME, identity=identity)


def holder(api):
    return api.objects[NAME]["spec"]["holderIdentity"]


async def test_the_first_one_gets_it_at_once(api, looptime):
    await contender(api, "first").acquire()
    assert holder(api) == "first"
    assert looptime == 0


async def test_a_second_one_waits_as_long_as_the_first_renews(api):
    first, second = contender(api, "first"), contender(api, "second")
    await first.acquire()
    keeping, waiting = asyncio.create_task(first.keep()), asyncio.create_task(second.acquire())
    await asyncio.sleep(600)
    assert holder(api) == "first"
    assert not waiting.done()
    keeping.cancel()


async def test_a_crashed_holder_is_followed_within_20_seconds(api, looptime):
    first, second = contender(api, "first"), contender(api, "second")
    await first.acquire()
    keeping, waiting = asyncio.create_task(first.keep()), asyncio.create_task(second.acquire())
    await asyncio.sleep(61)
    keeping.cancel()
    crashed_at = float(looptime)
    await waiting
    assert holder(api) == "second"
    assert 13 <= float(looptime) - crashed_at <= 20
    assert api.objects[NAME]["spec"]["leaseTransitions"] == 1


async def test_a_released_lease_is_taken_at_the_next_look(api, looptime):
    first, second = contender(api, "first"), contender(api, "second")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(1)
    await first.release()
    await waiting
    assert holder(api) == "second"
    assert float(looptime) <= 4


async def test_a_holder_that_cannot_renew_stops_before_others_may_write(api, looptime):
    first = contender(api, "first")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    await asyncio.sleep(100)
    renewed_at = float(looptime)
    api.down = DOWN
    with pytest.raises(LeaseLost):
        await keeping
    assert 8 <= float(looptime) - renewed_at <= 12.1
    assert not first.held


async def test_a_request_that_hangs_counts_as_a_renewal_that_failed(api, looptime, monkeypatch):
    first = contender(api, "first")
    await first.acquire()
    monkeypatch.setattr(api, "replace", lambda *_: asyncio.sleep(10_000))
    with pytest.raises(LeaseLost):
        await first.keep()
    assert looptime == 10


async def test_a_short_outage_is_survived(api):
    first = contender(api, "first")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    await asyncio.sleep(60)
    api.down = DOWN
    await asyncio.sleep(6)
    api.down = None
    await asyncio.sleep(60)
    assert not keeping.done()
    keeping.cancel()


async def test_a_holder_that_was_replaced_stops_at_its_next_renewal(api, looptime):
    first = contender(api, "first")
    await first.acquire()
    api.put(NAME, spec={"holderIdentity": "intruder"})
    with pytest.raises(LeaseLost, match="intruder"):
        await first.keep()
    assert looptime == 2


async def test_a_deleted_lease_is_a_lost_one(api):
    first = contender(api, "first")
    await first.acquire()
    del api.objects[NAME]
    with pytest.raises(LeaseLost):
        await first.keep()


async def test_an_edit_of_the_lease_by_somebody_else_does_not_end_it(api):
    first = contender(api, "first")
    await first.acquire()
    api.put(NAME, spec=dict(api.objects[NAME]["spec"]), metadata={"labels": {"x": "y"}})
    keeping = asyncio.create_task(first.keep())
    await asyncio.sleep(30)
    assert not keeping.done()
    keeping.cancel()


async def test_of_two_that_try_at_the_same_moment_one_gets_it(api):
    both = [contender(api, name) for name in ("one", "two")]
    tasks = [asyncio.create_task(lease.acquire()) for lease in both]
    await asyncio.sleep(1)
    assert [lease.held for lease in both].count(True) == 1
    for task in tasks:
        task.cancel()


async def test_an_unreachable_api_server_is_waited_for(api):
    api.down = DOWN
    waiting = asyncio.create_task(contender(api, "first").acquire())
    await asyncio.sleep(300)
    api.down = None
    await asyncio.sleep(3)
    assert waiting.done()
    assert holder(api) == "first"


async def test_a_holder_that_was_cut_off_takes_its_own_lease_back_at_once(api, looptime):
    first = contender(api, "first")
    await first.acquire()
    api.down = DOWN
    with pytest.raises(LeaseLost):
        await first.keep()
    api.down = None
    before = float(looptime)
    await first.acquire()
    assert float(looptime) == before
    assert api.objects[NAME]["spec"]["leaseTransitions"] == 0
