"""Calls to Milvus: always an end, and always in our words."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from ragdeploy_service.adapters.milvus.calls import Address, CollectionGone, within
from ragdeploy_service.adapters.milvus.library import MilvusException
from ragdeploy_service.rag.errors import VectorStoreRefused, VectorStoreUnavailable


class Made(Exception):
    """Ends a call once its channel has been made."""


def failing(error):
    async def call():
        raise error

    return call


async def test_a_call_without_end_is_given_up():
    with pytest.raises(VectorStoreUnavailable, match=r"within 0\.01 s \(search\)"):
        async with asyncio.timeout(30):  # so that a call that is not given up fails here
            await within(0.01, "search", asyncio.Event().wait)


async def test_a_call_that_grpc_broke_off_is_an_outage_and_no_cancellation():
    with pytest.raises(VectorStoreUnavailable, match="broke off"):
        await within(5, "search", failing(asyncio.CancelledError()))


async def test_a_caller_that_was_cancelled_is_cancelled():
    caller = asyncio.create_task(within(5, "search", asyncio.Event().wait))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (100, CollectionGone),
        (101, CollectionGone),
        (1100, VectorStoreRefused),
        (2, VectorStoreUnavailable),
    ],
)
async def test_each_code_has_its_meaning(code, kind):
    with pytest.raises(kind):
        await within(5, "search", failing(MilvusException(code=code, message="at 10.0.0.1")))


async def test_the_words_of_milvus_stay_in_the_log():
    with pytest.raises(VectorStoreUnavailable) as told:
        await within(5, "search", failing(MilvusException(code=2, message="at 10.0.0.1:19530")))
    assert "10.0.0.1" not in str(told.value)


async def test_a_server_that_was_away_for_long_is_soon_found_again(monkeypatch):
    """gRPC alone pauses twice as long after each try, up to two minutes."""
    made = []

    def channel(_address, options):
        made.append(dict(options))
        raise Made

    monkeypatch.setattr(grpc, "insecure_channel", channel)
    monkeypatch.setattr(grpc.aio, "insecure_channel", channel)
    address = Address(uri="http://milvus:19530", token="", database="default")
    with pytest.raises(Made):
        address.blocking()
    with pytest.raises(Made):
        await address.asynchronous().list_collections()
    assert [options["grpc.max_reconnect_backoff_ms"] for options in made] == [1_000, 1_000]
