"""A random walk: edits, deletions, drift, crashes and outages, and what holds after each rest.

``RAGDEPLOY_WALK_SECONDS`` makes it longer, and ``RAGDEPLOY_WALK_SEED`` another one.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import AsyncExitStack

import pytest

from ragdeploy_operator.engine.errors import ApiError
from tests.controlplane import ApiError as Refused
from tests.controlplane.kinds import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER
from tests.operator.bundle import Bundle, writes_of_operator
from tests.operator.in_process import running
from tests.operator.oracle import faults
from tests.operator.owned_fields import owned_fields, pointer

SECONDS = float(os.environ.get("RAGDEPLOY_WALK_SECONDS", "45"))
SEED = int(os.environ.get("RAGDEPLOY_WALK_SEED", "4"))
DOWN = ApiError.unreachable(ConnectionRefusedError("refused"))
JSON_PATCH = "application/json-patch+json"

SPECS = (
    {},
    {"retrieval": {"topK": 3}},
    {"api": {"autoscaling": {"enabled": False}}},
    {"api": {"podDisruptionBudget": {"enabled": False}, "drainSeconds": 20}},
    {"network": {"networkPolicy": {"enabled": False}}},
    {"network": {"ingress": {"host": "rag.example.com"}}},
    {"cache": {"managed": {"maxMemory": "100Mi"}}},
    {"cache": {"ttlSeconds": 5}, "auth": {"enabled": False}},
)


class Walker:
    """Takes the steps. What it may do is every method whose name begins with ``step_``."""

    def __init__(self, cluster, namespace, dice):
        self.cluster = cluster
        self.dice = dice
        self.docs = Bundle(cluster, namespace).apply()
        cluster.kubelet.run(namespace)  # what is not wanted any more stays until new pods are ready
        self.is_down = False
        self.scaled = None
        self.stack = AsyncExitStack()
        self.engine = None

    # ---- the operator ----
    async def start(self):
        self.engine = await self.stack.enter_async_context(
            running(self.cluster, before=lambda _name, _number: DOWN if self.is_down else None)
        )

    async def step_crash(self):
        await self.stack.aclose()
        await self.start()

    async def step_crash_and_change(self):
        await self.stack.aclose()
        await self.step_edit()
        await self.step_delete_a_child()
        await self.start()

    async def step_outage(self):
        """The API server takes no call for a while; others' calls still change what is there."""
        self.is_down = True
        await self.step_edit()
        await self.step_delete_a_child()
        await self.engine.idle(seconds=0.5)
        self.is_down = False

    # ---- people ----
    async def step_edit(self):
        self.docs.apply(**self.dice.choice(SPECS))

    async def step_edit_twice(self):
        await self.step_edit()
        await self.step_edit()

    async def step_delete_a_child(self):
        if not (children := self.docs.children()):
            return
        kind, suffix = self.dice.choice(sorted(children))
        self.scaled = None if kind == DEPLOYMENT else self.scaled
        self.try_to(lambda: self.cluster.api.delete(kind, self.name(suffix), namespace=self.where))

    async def step_drift(self):
        if not (children := self.docs.children()):
            return
        (kind, suffix), obj = self.dice.choice(sorted(children.items(), key=lambda item: item[0]))
        fields = [
            path
            for path, value in owned_fields(obj).items()
            if isinstance(value, str) and path[0] in ("data", "spec") and "selector" not in path
        ]
        if kind.kind in ("Secret", "StatefulSet") or not fields:
            return
        path = pointer(obj, self.dice.choice(fields))
        patch = [{"op": "replace", "path": path, "value": "4242"}]
        self.try_to(
            lambda: self.cluster.api.patch(
                kind, self.name(suffix), patch, namespace=self.where, content_type=JSON_PATCH
            )
        )

    async def step_begin_anew(self):
        self.docs.delete()
        self.scaled = None
        self.docs.apply(**self.dice.choice(SPECS))

    async def step_scale(self):
        """As an autoscaler does it."""
        deployment = self.docs.find(DEPLOYMENT, "api")
        if self.docs.find(HORIZONTAL_POD_AUTOSCALER, "api") and self.is_current(deployment):
            number = self.dice.randint(3, 9)
            body = {"spec": {"replicas": number}}
            self.cluster.api.patch(
                DEPLOYMENT, self.name("api"), body, namespace=self.where, subresource="scale"
            )
            self.scaled = number

    # ---- what must hold ----
    async def rest(self):
        await self.engine.until(self.whole, what="children as they are built")
        await self.engine.idle()
        before = self.cluster.audit.mark()
        await self.engine.idle()
        # the status may follow the pods, which come to life at their own pace
        written = writes_of_operator(self.cluster.audit.since(before), self.where)
        assert written.without("ragdeployments") == ()
        assert list(faults(self.docs)) == []
        if self.scaled is not None:  # also when autoscaling has been switched off since
            assert self.docs.child(DEPLOYMENT, "api")["spec"]["replicas"] == self.scaled

    def whole(self):
        assert list(faults(self.docs)) == []
        return True

    # ---- plumbing ----
    def is_current(self, child):
        """Whether it belongs to the resource as it is now, and not to one that was deleted."""
        owners = child["metadata"]["ownerReferences"] if child else []
        return self.docs.get()["metadata"]["uid"] in {owner["uid"] for owner in owners}

    @property
    def where(self):
        return self.docs.namespace

    def name(self, suffix):
        return f"{self.docs.name}-{suffix}"

    @staticmethod
    def try_to(do):
        """The object may be gone by now, or take no such value; then nothing has happened."""
        try:
            do()
        except Refused as error:
            assert error.code in (404, 409, 422), error  # noqa: PT017


@pytest.mark.behaviour(12)
async def test_whatever_happens_the_children_become_what_is_built(cluster, namespace, say):
    say(f"random walk: RAGDEPLOY_WALK_SEED={SEED}")
    walker = Walker(cluster, namespace, random.Random(SEED))
    steps = sorted(name for name in dir(walker) if name.startswith("step_"))
    taken = []
    await walker.start()
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline or not taken:
            for _ in range(walker.dice.randint(1, 4)):
                taken.append(walker.dice.choice(steps))
                await getattr(walker, taken[-1])()
            await walker.rest()
    except BaseException as error:
        say(f"random walk {SEED} failed after {taken}: {error!r}")
        raise
    finally:
        await walker.stack.aclose()
    say(f"random walk {SEED}: {len(taken)} steps")
