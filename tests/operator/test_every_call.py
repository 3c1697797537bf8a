"""The operator ends, or is refused, at any of its calls: the end is the same."""

from random import Random

import pytest

from ragdeploy_operator.engine.errors import ApiError
from tests.operator.bundle import ALL_CHILDREN, Bundle
from tests.operator.in_process import running
from tests.operator.oracle import faults

EDIT = {
    "retrieval": {"topK": 7},
    "cache": {"managed": {"maxMemory": "128Mi"}},
    "network": {"networkPolicy": {"enabled": False}},
}
FEW = {"vectorStore": {"external": {"uri": "http://milvus:19530"}}}
"""A spec with fewer children: it is made twenty times."""

DEAD = ApiError.unreachable(ConnectionResetError("cut"))


def cut(name, number):
    """``cut-5`` is heard of no more after its fifth call."""
    kind, _, last = name.partition("-")
    return DEAD if kind == "cut" and number > int(last) else None


def unlucky(number):
    """A fifth of all numbers, without a period that retries could fall into."""
    return Random(number).random() < 1 / 5


def number_of(bundle):
    return int(bundle.name.partition("-")[2])


async def crash_at_each_call(cluster, namespace, **spec):
    """Apply ``spec`` to many resources and crash at another call of each; returns them."""
    whole = Bundle(cluster, namespace, "whole").apply(**spec)
    async with running(cluster, before=cut) as engine:
        await engine.idle()
        calls = engine.client.calls["whole"]
        assert calls > 3
        crashed = [
            Bundle(cluster, namespace, f"cut-{number}").apply(**spec) for number in range(calls + 1)
        ]
        # each has come to its end, or was done before
        await engine.until(
            lambda: all(
                engine.client.calls[one.name] > number_of(one) or not list(faults(one))
                for one in crashed
            ),
            what="every resource to be cut off",
        )
    return [whole, *crashed]


@pytest.mark.behaviour(38)
async def test_a_crash_at_any_call_of_a_create_or_an_update_changes_nothing_about_the_end(
    cluster, namespace
):
    for spec in (FEW, FEW | EDIT):
        bundles = await crash_at_each_call(cluster, namespace, **spec)
        assert any(list(faults(bundle)) for bundle in bundles)  # or nothing was cut
        async with running(cluster) as engine:
            await engine.until(
                lambda: not any(list(faults(bundle)) for bundle in bundles),  # noqa: B023
                what="the children of all as they are built",
            )
            await engine.idle()
        for bundle in bundles:
            found = bundle.get()
            assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
            assert bundle.condition("Stalled")["status"] == "False"


@pytest.mark.behaviour(42)
@pytest.mark.parametrize(
    "error",
    [
        ApiError(409, "Conflict", "the object has been modified"),
        ApiError(429, "TooManyRequests", "storage is (re)initializing", retry_after=0.1),
        ApiError(500, "InternalError", "etcdserver: leader changed"),
    ],
    ids=lambda error: str(error.status),
)
async def test_a_fifth_of_all_calls_fails_and_all_is_done_in_the_end(cluster, namespace, error):
    docs = Bundle(cluster, namespace).apply()
    async with running(
        cluster, before=lambda _, number: error if unlucky(number) else None
    ) as engine:
        await engine.until(lambda: docs.children().keys() >= ALL_CHILDREN, what="all children")
        docs.apply(**EDIT)
        await engine.until(lambda: not list(faults(docs)), what="the edit")
    assert docs.condition("Stalled")["status"] == "False"


@pytest.mark.behaviour(43)
async def test_one_resource_that_always_fails_does_not_slow_a_hundred_others(cluster, namespace):
    others = [Bundle(cluster, namespace, f"well-{number}") for number in range(100)]
    poison = Bundle(cluster, namespace, "poison").apply(**FEW)
    refused = True

    def poisoned(name, _number):
        return DEAD if refused and name == "poison" else None

    async with running(cluster, before=poisoned) as engine:
        calls = engine.client.calls
        await engine.until(lambda: calls["poison"] > 1, what="the one to have failed")
        for bundle in others:
            bundle.apply(**FEW)
        for bundle in others:  # by now most are done
            await engine.until(
                lambda: not list(faults(bundle)),  # noqa: B023
                what="the children of all others as they are built",
            )
        # nobody had to be asked for twice on its account, and it has not taken their turns
        assert calls["poison"] < len(others)
        refused = False
        await engine.until(lambda: not list(faults(poison)), what="the one to be well again")
