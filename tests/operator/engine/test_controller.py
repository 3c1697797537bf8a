"""The workers: when a resource is looked at again, and that one cannot harm the others."""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from ragdeploy_operator.engine.controller import Controller
from ragdeploy_operator.engine.metrics import Metrics
from ragdeploy_operator.engine.queue import WorkQueue
from ragdeploy_operator.engine.reconcile import Outcome
from ragdeploy_operator.errors import Invalid, NotOwned, Transient, Waiting
from ragdeploy_operator.objects import Key

pytestmark = pytest.mark.looptime

DOCS, POISON = Key("demo", "docs"), Key("demo", "poison")


class FakeReconciler:
    """Ends as a test tells it to, and remembers when it was asked."""

    def __init__(self):
        self.answers = {}
        self.asked = []

    async def reconcile(self, key):
        self.asked.append((key, asyncio.get_running_loop().time()))
        answer = self.answers.get(key, Outcome())
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def times(self, key):
        return [time for asked, time in self.asked if asked == key]


@pytest.fixture
def reconciler():
    return FakeReconciler()


@pytest.fixture
def queue():
    return WorkQueue()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def working(reconciler, queue, metrics):
    @asynccontextmanager
    async def working(workers=2):
        controller = Controller(queue=queue, reconciler=reconciler, metrics=metrics, resync=600)
        tasks = [asyncio.create_task(controller.work()) for _ in range(workers)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return working


async def test_every_resource_is_looked_at_again_about_every_ten_minutes(
    working, queue, reconciler
):
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(3600)
    assert 5 <= len(reconciler.asked) <= 7


async def test_an_outage_is_tried_again_ever_more_slowly_but_at_least_every_20_seconds(
    working, queue, reconciler
):
    reconciler.answers[DOCS] = Outcome(fault=Transient("gone", reason="ApiUnavailable"))
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(300)
    times = reconciler.times(DOCS)
    assert max(later - earlier for earlier, later in pairwise(times)) <= 20
    assert len(times) < 80


async def test_the_server_is_left_alone_for_as_long_as_it_asks(working, queue, reconciler):
    busy = Transient("busy", reason="ApiBusy", retry_after=30)
    reconciler.answers[DOCS] = Outcome(fault=busy)
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(29)
        assert len(reconciler.asked) == 1
        await asyncio.sleep(30)
        assert len(reconciler.asked) >= 2


async def test_success_forgets_earlier_failures(working, queue, reconciler):
    reconciler.answers[DOCS] = Outcome(fault=Transient("no", reason="Forbidden"))
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(1000)
        reconciler.answers[DOCS] = Outcome()
        queue.add(DOCS)
        await asyncio.sleep(1)
        reconciler.answers[DOCS] = Outcome(fault=Transient("no", reason="Forbidden"))
        before = len(reconciler.asked)
        queue.add(DOCS)
        await asyncio.sleep(3)
        assert len(reconciler.asked) >= before + 3


@pytest.mark.parametrize(
    ("fault", "looks"),
    [
        (Waiting("for a Secret", reason="SecretMissing"), 1),
        (Invalid("wrong"), 1),
        (NotOwned("theirs"), 5),
    ],
)
async def test_what_cannot_help_itself_is_not_tried_in_vain(
    working, queue, reconciler, fault, looks
):
    reconciler.answers[DOCS] = Outcome(fault=fault)
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(299)
    assert len(reconciler.asked) == looks


async def test_a_status_that_had_to_wait_is_not_forgotten_when_something_failed(
    working, queue, reconciler
):
    reconciler.answers[DOCS] = Outcome(fault=NotOwned("theirs"), soon=0.5)
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(0.6)
    assert reconciler.times(DOCS) == [0, 0.5]


@pytest.mark.behaviour(43)
async def test_a_resource_that_breaks_the_code_does_not_slow_the_others(
    working, queue, reconciler, metrics, caplog
):
    reconciler.answers[POISON] = RuntimeError("a bug")
    others = [Key("demo", f"docs-{number}") for number in range(100)]
    queue.add(POISON)
    for key in others:
        queue.add(key)
    async with working(workers=1):
        await asyncio.sleep(1)
        for key in others:
            assert reconciler.times(key) == [0]
        await asyncio.sleep(3600)
    assert len(reconciler.times(POISON)) < 60
    assert metrics.errors.labels("Bug")._value.get() >= 10
    assert "a bug" in caplog.text


async def test_a_look_that_hangs_is_given_up(working, queue, reconciler):
    reconciler.answers[POISON] = lambda: asyncio.sleep(100_000)
    queue.add(POISON)
    queue.add(DOCS)
    async with working(workers=1):
        await asyncio.sleep(121)
        assert reconciler.times(DOCS) == [120]


async def test_work_that_is_interrupted_is_not_lost(working, queue, reconciler):
    reconciler.answers[DOCS] = lambda: asyncio.sleep(100_000)
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(1)
    assert await queue.get() == DOCS


async def test_a_resource_that_is_gone_is_not_looked_at_again(working, queue, reconciler):
    queue.add(DOCS)
    async with working():
        await asyncio.sleep(1)
        reconciler.answers[DOCS] = Outcome(gone=True)
        queue.add(DOCS)
        await asyncio.sleep(3600)
    assert len(reconciler.asked) == 2
