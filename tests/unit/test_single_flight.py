"""One flight for all who ask at once, and nobody harmed by who leaves."""

from __future__ import annotations

import asyncio

import pytest

from ragdeploy_service.rag.concurrency.single_flight import SingleFlight


class Work:
    """Work that ends when it is told to, and counts how often it was begun."""

    def __init__(self, result="done"):
        self.begun = 0
        self.cancelled = False
        self.may_end = asyncio.Event()
        self.result = result

    async def __call__(self, tell=None):
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def turns():
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_equal_keys_share_the_work():
    flights, work = SingleFlight(), Work()
    callers = [asyncio.create_task(flights.run("key", work)) for _ in range(100)]
    await turns()
    work.may_end.set()
    assert await asyncio.gather(*callers) == ["done"] * 100
    assert work.begun == 1


async def test_other_keys_do_not():
    flights, work = SingleFlight(), Work()
    work.may_end.set()
    await asyncio.gather(*(flights.run(key, work) for key in range(3)))
    assert work.begun == 3


async def test_a_later_call_works_again():
    flights, work = SingleFlight(), Work()
    work.may_end.set()
    await flights.run("key", work)
    await flights.run("key", work)
    assert work.begun == 2


async def test_the_first_caller_may_leave():
    flights, work = SingleFlight(), Work()
    first, second = (asyncio.create_task(flights.run("key", work)) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    work.may_end.set()
    assert await second == "done"
    assert (work.begun, work.cancelled) == (1, False)
    assert first.cancelled()


async def test_when_all_have_left_the_work_stops():
    flights, work = SingleFlight(), Work()
    callers = [asyncio.create_task(flights.run("key", work)) for _ in range(3)]
    await turns()
    for caller in callers:
        caller.cancel()
    await turns()
    assert work.cancelled


async def test_whoever_comes_after_all_have_left_begins_anew():
    flights, work = SingleFlight(), Work()
    caller = asyncio.create_task(flights.run("key", work))
    await turns()
    caller.cancel()
    fresh = Work("fresh")
    late = asyncio.create_task(flights.run("key", fresh))
    await turns()
    fresh.may_end.set()
    assert await late == "fresh"


async def test_an_error_reaches_every_caller():
    flights, work = SingleFlight(), Work(ValueError("no"))
    callers = [asyncio.create_task(flights.run("key", work)) for _ in range(3)]
    await turns()
    work.may_end.set()
    for caller in callers:
        with pytest.raises(ValueError, match="no"):
            await caller
    assert work.begun == 1


class Story:
    """Work that tells one event after the other, each when it is let."""

    def __init__(self, *events):
        self.events = events
        self.may_go_on = asyncio.Semaphore(0)

    async def __call__(self, tell):
        for event in self.events:
            await self.may_go_on.acquire()
            tell(event)
        return "the end"


async def test_who_joins_late_hears_it_from_the_beginning():
    flights, story = SingleFlight(), Story("one", "two")
    early, late = [], []
    first = asyncio.create_task(flights.run("key", story, listener=early.append))
    story.may_go_on.release()
    await turns()
    assert early == ["one"]
    second = asyncio.create_task(flights.run("key", story, listener=late.append))
    await turns()
    assert late == ["one"]
    story.may_go_on.release()
    assert await asyncio.gather(first, second) == ["the end"] * 2
    assert early == late == ["one", "two"]


async def test_who_leaves_hears_no_more_and_takes_nothing_from_the_others():
    flights, story = SingleFlight(), Story("one", "two")
    gone, left = [], []
    first = asyncio.create_task(flights.run("key", story, listener=gone.append))
    second = asyncio.create_task(flights.run("key", story, listener=left.append))
    story.may_go_on.release()
    await turns()
    first.cancel()
    await turns()
    story.may_go_on.release()
    assert await second == "the end"
    assert gone == ["one"]
    assert left == ["one", "two"]
