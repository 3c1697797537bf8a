"""The copy of what is there: what it tells of, and to whom."""

import pytest

from ragdeploy_operator.engine import projection
from ragdeploy_operator.engine.store import Store
from ragdeploy_operator.objects import Key, key_of

DOCS = Key("demo", "docs")


@pytest.fixture
def told():
    return []


@pytest.fixture
def store(told):
    return Store(projection.custom_resource, on_change=told.append, owner=key_of)


def resource(version, *, top_k=10, ready=False):
    metadata = {"name": "docs", "namespace": "demo", "uid": "u", "resourceVersion": str(version)}
    return {
        "metadata": metadata | {"generation": top_k},
        "spec": {"retrieval": {"topK": top_k}},
        "status": {"ready": ready},
    }


def test_the_answer_to_a_write_of_the_status_is_no_news(store, told):
    store.put(resource(1))
    told.clear()
    store.put_status(resource(2, ready=True))
    store.put(resource(2, ready=True))  # and nor is its event
    assert told == []
    assert store.get(DOCS)["status"] == {"ready": True}


def test_an_edit_that_is_first_seen_in_such_an_answer_is_told(store, told):
    """As after an outage, when the watch that would tell of it waits longer than we do."""
    store.put(resource(1))
    told.clear()
    store.put_status(resource(3, top_k=12, ready=True))
    store.put(resource(3, top_k=12, ready=True))
    assert told == [DOCS]


def test_an_answer_does_not_bring_back_what_was_deleted_meanwhile(store):
    store.put(resource(1))
    store.drop(DOCS, version="3")
    store.put_status(resource(2, ready=True))
    assert store.get(DOCS) is None


def test_the_answer_to_a_creation_may_be_slower_than_the_news_of_its_end(store, told):
    store.put(resource(2))
    store.drop(DOCS, version="3")
    told.clear()
    store.put_answer(resource(2))
    assert store.get(DOCS) is None
    assert told == [DOCS]  # it has to be made again


def test_the_answer_to_a_creation_is_known_before_its_event(store, told):
    store.put_answer(resource(2))
    store.put(resource(2))
    assert store.get(DOCS)
    assert told == []


def test_what_was_made_after_a_deletion_is_there(store):
    store.drop(DOCS, version="3")
    store.put_answer(resource(4))
    assert store.get(DOCS)
