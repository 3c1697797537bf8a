"""The work queue: each key once, one worker a key, later when asked so."""

import asyncio

import pytest

from ragdeploy_operator.engine.backoff import Backoff
from ragdeploy_operator.engine.queue import WorkQueue

pytestmark = pytest.mark.looptime


async def test_many_events_about_one_key_are_one_piece_of_work():
    queue = WorkQueue[str]()
    for _ in range(20):
        queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_keys_come_in_the_order_in_which_they_were_added():
    queue = WorkQueue[str]()
    for key in "abcab":
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_is_never_with_two_workers_and_is_not_lost():
    queue = WorkQueue[str]()
    queue.add("a")
    await queue.get()
    queue.add("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await queue.get()
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_worker_waits_until_there_is_work():
    queue = WorkQueue[str]()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    assert not waiting.done()
    queue.add("a")
    assert await waiting == "a"


async def test_an_appointment_is_kept_to_the_second(looptime):
    queue = WorkQueue[str]()
    queue.add_after("a", 30)
    assert await queue.get() == "a"
    assert looptime == 30


async def test_the_last_appointment_counts(looptime):
    queue = WorkQueue[str]()
    queue.add_after("a", 5)
    queue.add_after("a", 60)
    assert await queue.get() == "a"
    assert looptime == 60
    queue.done("a")
    assert len(queue) == 0


async def test_a_cancelled_appointment_does_not_happen():
    queue = WorkQueue[str]()
    queue.add_after("a", 5)
    queue.cancel("a")
    await asyncio.sleep(10)
    assert len(queue) == 0


async def test_the_age_is_that_of_the_key_that_waits_longest():
    queue = WorkQueue[str]()
    assert queue.age == 0
    queue.add("a")
    await asyncio.sleep(3)
    queue.add("b")
    await asyncio.sleep(4)
    assert queue.age == 7
    await queue.get()
    assert queue.age == 4


async def test_work_that_never_ends_counts_as_a_standstill():
    queue = WorkQueue[str]()
    queue.add("a")
    await queue.get()
    await asyncio.sleep(400)
    assert queue.stalled == 400


async def test_a_long_queue_that_moves_is_no_standstill():
    queue = WorkQueue[str]()
    for key in "abcdef":
        queue.add(key)
    for _ in range(5):
        key = await queue.get()
        await asyncio.sleep(100)
        queue.done(key)
    await asyncio.sleep(1)
    assert queue.age == 501
    assert queue.stalled == 1


def test_waits_grow_up_to_a_limit_and_are_spread_over_their_whole_range():
    drawn = []
    backoff = Backoff(first=0.5, longest=10, draw=lambda low, high: drawn.append((low, high)) or 0)
    for failures in (1, 2, 3, 10, 5000):
        backoff.delay(failures)
    assert drawn == [(0, 0.5), (0, 1), (0, 2), (0, 10), (0, 10)]


def test_what_the_server_asks_for_comes_before_our_own_wait():
    assert Backoff(first=1, longest=10, draw=lambda low, high: high).delay(1, at_least=7) == 8
