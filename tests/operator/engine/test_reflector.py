"""The reflector and its store: nothing is missed, nothing is told twice."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from ragdeploy_operator.engine import kinds, projection
from ragdeploy_operator.engine.backoff import Backoff
from ragdeploy_operator.engine.reflector import Reflector
from ragdeploy_operator.engine.store import Store
from ragdeploy_operator.objects import Key, Selection
from tests.operator.engine.fake_api import DOWN, TOO_OLD, FakeApi

pytestmark = pytest.mark.looptime

OWNER = Key("demo", "docs")
LABELS = {"labels": {"ragdeploy.io/name": "docs"}}
NO_JITTER = Backoff(first=0.5, longest=10, draw=lambda low, high: high)


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def told():
    return []


@pytest.fixture
def store(told):
    return Store(projection.child, on_change=told.append)


@asynccontextmanager
async def reflecting(api, store):
    wanted = Selection(kind=kinds.CONFIG_MAP)
    reflector = Reflector(api, wanted, store, backoff=NO_JITTER)
    task = asyncio.create_task(reflector.run())
    try:
        yield reflector
    finally:
        task.cancel()


async def settle():
    await asyncio.sleep(0.001)


async def test_what_is_there_is_known_once_it_is_synced(api, store, told):
    for name in "abcde":
        api.put(name, metadata=LABELS, data={"x": name})
    api.page_size = 2
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        assert [child["data"]["x"] for child in store.of(OWNER)] == list("abcde")
        assert set(told) == {OWNER}


async def test_changes_and_deletions_arrive(api, store, told):
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        api.send("ADDED", api.put("a", metadata=LABELS, data={"x": "1"}))
        api.send("MODIFIED", api.put("a", metadata=LABELS, data={"x": "2"}))
        await settle()
        assert store.get(Key("demo", "a"))["data"] == {"x": "2"}
        api.send("DELETED", api.put("a", metadata=LABELS))
        await settle()
        assert store.get(Key("demo", "a")) is None
        assert told == [OWNER] * 3


async def test_a_deletion_that_was_missed_is_noticed_by_the_new_list(api, store, told):
    api.put("kept", metadata=LABELS)
    api.put("deleted meanwhile", metadata=LABELS)
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        told.clear()
        del api.objects["deleted meanwhile"]
        api.put("kept", metadata=LABELS)
        api.break_watch(TOO_OLD)
        await asyncio.sleep(2)
        assert [child["metadata"]["name"] for child in store.of(OWNER)] == ["kept"]
        assert told == [OWNER]


async def test_an_answer_that_comes_during_a_list_does_not_bring_back_the_dead(api, store):
    late = api.put("deleted before the list", metadata=LABELS)
    del api.objects["deleted before the list"]
    for name in "ab":
        api.put(name, metadata=LABELS)
    api.page_size = 1
    async with reflecting(api, store) as reflector:
        await asyncio.sleep(0)
        assert store.get(Key("demo", "a"))  # the first page of two is in
        store.put_answer(late)
        assert store.get(Key("demo", "b")) is None
        assert not reflector.synced.is_set()
        await reflector.synced.wait()
        assert [child["metadata"]["name"] for child in store.of(OWNER)] == ["a", "b"]


async def test_a_list_that_breaks_off_drops_nothing(api, store):
    for name in "abcdef":
        api.put(name, metadata=LABELS)
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        api.page_size = 2
        api.break_watch(TOO_OLD)
        await settle()
        api.down = DOWN
        await asyncio.sleep(1)
        assert len(store.of(OWNER)) == 6


async def test_a_broken_watch_goes_on_where_it_was(api, store):
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        api.send("ADDED", api.put("a", metadata=LABELS))
        api.send("BOOKMARK", {"metadata": {"resourceVersion": "555"}})
        api.break_watch(DOWN)
        await asyncio.sleep(2)
        assert api.requests[-1] == "watch 555"
        assert api.requests.count("list") == 1 + 1  # one list of one page, asked once more for rest


async def test_it_outlives_an_outage_and_says_how_it_is(api, store):
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        api.down = DOWN
        api.break_watch(DOWN)
        await asyncio.sleep(300)
        assert reflector.trouble is DOWN
        assert reflector.silence <= 10  # it keeps trying
        tries = len(api.requests)
        assert tries < 50  # and not all the time
        api.down = None
        await asyncio.sleep(10)
        api.send("ADDED", api.put("a", metadata=LABELS))
        await settle()
        assert reflector.trouble is None
        assert store.of(OWNER)


async def test_after_an_outage_the_next_one_is_a_new_one(api, store):
    api.put("a", metadata=LABELS)
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        api.down = DOWN
        api.break_watch(DOWN)
        await asyncio.sleep(300)
        api.down = None
        await asyncio.sleep(10)  # it watches again, and there is nothing to be told
        assert reflector.trouble is None
        del api.objects["a"]
        api.break_watch(TOO_OLD)
        await asyncio.sleep(1)
        assert store.of(OWNER) == []


async def test_a_watch_without_bookmarks_grows_silent(api, store):
    async with reflecting(api, store) as reflector:
        await reflector.synced.wait()
        await asyncio.sleep(200)
        assert reflector.silence == pytest.approx(200, abs=1)


def test_a_change_that_is_nothing_to_us_wakes_nobody(api, store, told):
    store.put(api.put("a", metadata=LABELS, data={"x": "1"}))
    store.put(
        api.put("a", metadata=LABELS | {"managedFields": [{"time": "later"}]}, data={"x": "1"})
    )
    assert told == [OWNER]


def test_an_answer_to_our_own_write_counts_at_once_and_wakes_nobody(api, store, told):
    old = api.put("a", metadata=LABELS, data={"x": "1"})
    new = api.put("a", metadata=LABELS, data={"x": "2"})
    store.put(new, quietly=True)
    store.put(old)  # an event that was on its way
    assert store.get(Key("demo", "a"))["data"] == {"x": "2"}
    assert told == []


def test_the_deletion_of_a_former_object_does_not_touch_the_new_one(api, store):
    store.put(api.put("a", metadata=LABELS))
    deleted_at = str(api.version)
    del api.objects["a"]
    store.put(api.put("a", metadata=LABELS), quietly=True)
    store.drop(Key("demo", "a"), version=deleted_at)
    assert store.get(Key("demo", "a")) is not None


def test_the_controller_counts_more_than_the_label(api, store):
    reference = {
        "apiVersion": "ragdeploy.io/v1alpha1",
        "kind": "RagDeployment",
        "name": "other",
        "uid": "1",
        "controller": True,
    }
    store.put(api.put("a", metadata=LABELS | {"ownerReferences": [reference]}))
    assert store.of(OWNER) == []
    assert len(store.of(Key("demo", "other"))) == 1


def test_an_object_that_changes_hands_wakes_both(api, store, told):
    store.put(api.put("a", metadata=LABELS))
    told.clear()
    store.put(api.put("a", metadata={"labels": {"ragdeploy.io/name": "other"}}))
    assert set(told) == {OWNER, Key("demo", "other")}
    assert store.of(OWNER) == []
