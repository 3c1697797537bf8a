"""Collections as vector stores, listed and looked at by OpenAI's own client."""

from __future__ import annotations

import openai
import pytest

from tests.service.api import SCALING, index

NAMES = ["apples", "bananas", "cherries", "documents"]  # the last is there from the start


@pytest.fixture(scope="module")
def client(keyed_service):
    for name in NAMES[:-1]:
        index(keyed_service.http, SCALING, collection=name)
    with openai.OpenAI(
        base_url=f"{keyed_service.url}/v1", api_key="the-key", max_retries=0, timeout=30
    ) as client:
        yield client


def ids(page):
    return [store.id for store in page]


def test_every_collection_is_listed_page_by_page(client):
    page = client.vector_stores.list(limit=2, order="asc")
    assert ids(page.data) == NAMES[:2]
    assert page.has_more
    assert ids(client.vector_stores.list(limit=2, order="asc")) == NAMES
    assert ids(client.vector_stores.list()) == NAMES[::-1]


def test_a_page_can_begin_behind_and_end_in_front_of_a_collection(client):
    assert ids(client.vector_stores.list(order="asc", after="apples")) == NAMES[1:]
    assert ids(client.vector_stores.list(before="bananas", limit=1).data) == ["cherries"]


def test_a_collection_is_looked_at(client):
    store = client.vector_stores.retrieve("apples")
    assert (store.id, store.name, store.status) == ("apples", "apples", "completed")
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve("pears")


def test_a_page_that_cannot_be_is_refused(client):
    with pytest.raises(openai.BadRequestError) as error:
        client.vector_stores.list(limit=0)
    assert error.value.param == "limit"
