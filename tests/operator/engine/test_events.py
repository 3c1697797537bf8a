"""Events: one for one thing, however often it is said."""

import asyncio

import pytest

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.engine.echo import Echo
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.events import Recorder
from ragdeploy_operator.objects import Key
from tests.operator.engine.fake_api import FakeApi

pytestmark = pytest.mark.looptime

DOCS = RagDeployment.parse(
    {"metadata": {"name": "docs", "namespace": "demo", "uid": "1", "generation": 1}}
)


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
async def recorder(api):
    recorder = Recorder(api, instance="pod-1")
    task = asyncio.create_task(recorder.run())
    yield recorder
    task.cancel()


async def say(recorder, note="It is missing.", *, times=1, every=0.0):
    for _ in range(times):
        recorder.tell(DOCS, "Warning", "SecretMissing", note, action="Reconcile")
        await asyncio.sleep(every)
    await asyncio.sleep(0.001)


async def test_the_same_words_are_one_event_with_a_count(api, recorder):
    await say(recorder, times=100, every=10)
    [event] = api.objects.values()
    assert event["note"] == "It is missing."
    assert 90 <= event["series"]["count"] <= 100  # the last minute is not written yet
    assert len(api.requests) <= 1 + 1000 / 60


async def test_other_words_are_another_event(api, recorder):
    await say(recorder, "One.")
    await say(recorder, "Two.")
    assert sorted(event["note"] for event in api.objects.values()) == ["One.", "Two."]


async def test_a_restarted_operator_goes_on_counting(api, recorder):
    await say(recorder, times=3, every=61)
    successor = Recorder(api, instance="pod-2")
    task = asyncio.create_task(successor.run())
    await say(successor)
    task.cancel()
    [event] = api.objects.values()
    assert event["series"]["count"] == 4


async def test_an_event_that_the_api_server_forgot_is_written_anew(api, recorder):
    await say(recorder)
    api.objects.clear()
    await asyncio.sleep(3600)
    await say(recorder)
    assert len(api.objects) == 1


async def test_a_recorder_that_may_not_write_does_not_fail(api, recorder):
    api.down = ApiError(403, "Forbidden", "may not create events")
    await say(recorder, times=3)
    api.down = None
    await say(recorder, "Later.")
    assert [event["note"] for event in api.objects.values()] == ["Later."]


async def test_a_write_that_does_not_come_back_is_noticed():
    echo = Echo()
    echo.expect(Key("demo", "docs"), "7")
    echo.heard(Key("demo", "docs"), "6")
    await asyncio.sleep(100)
    assert echo.deaf(in_touch=True) == 100
    echo.heard(Key("demo", "docs"), "7")
    assert echo.deaf(in_touch=True) == 0


async def test_an_outage_does_not_count_as_deafness():
    echo = Echo()
    echo.expect(Key("demo", "docs"), "7")
    await asyncio.sleep(500)
    assert echo.deaf(in_touch=False) == 0
    await asyncio.sleep(5)
    assert echo.deaf(in_touch=True) == 5
