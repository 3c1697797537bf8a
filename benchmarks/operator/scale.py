"""``make bench-operator ARGS=--scale``: a hundred, five hundred and a thousand resources.

They are added to the same cluster in three steps, so that the growth from N to 2N shows as
the time of one resource in each step. The stores are somebody else's, which leaves the
10 children that every resource has.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

from benchmarks.operator.measures import count
from benchmarks.operator.scene import CREATED, Scene, children_created
from benchmarks.report import Row, milliseconds
from tests.controlplane import Entries
from tests.controlplane.api import Object
from tests.controlplane.cluster import DEFAULT_CONTROLLERS
from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    RAG_DEPLOYMENT,
    SECRET,
    SERVICE,
    Kind,
)
from tests.support.operator import USER
from tests.support.waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "external-stores.yaml"
CONTROLLERS = tuple(
    # without metrics it writes to each autoscaler every 15 s, which is not what is measured
    name
    for name in DEFAULT_CONTROLLERS
    if name != "horizontal-pod-autoscaler-controller"
)

PER_NAMESPACE = 50
CLIENTS = 4
QUIET_SECONDS = 3.0
PATIENCE = 900.0
_SEED = 20261125

_TAKEN: tuple[tuple[Kind, str], ...] = (
    (DEPLOYMENT, "api"),
    (DEPLOYMENT, "indexer"),
    (CONFIG_MAP, "config"),
    (SERVICE, "api"),
    (SECRET, "api-key"),
    (NETWORK_POLICY, "api"),
)
"""Children that somebody deletes by mistake: kind, and name after the resource's own."""

_BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, float("inf"))  # seconds


@dataclass(frozen=True, order=True)
class _Place:
    """A resource of the benchmark."""

    namespace: str
    name: str


@dataclass
class Crowd:
    """Many resources in one cluster; it grows."""

    scene: Scene
    places: list[_Place] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)

    def rows_of_growth(self, sizes: Sequence[int]) -> Iterator[Row]:
        """Grow to each of the sizes; one row for each, with what it took."""
        yield Row("resident memory, 0 resources", self._memory(), "70 MB")
        each_before = None
        for size in sizes:
            used = self.scene.processor_seconds()
            seconds, children = self._grow(size)
            added = size if not each_before else size - each_before[0]
            each = seconds / added
            growth = "" if not each_before else f", {each / each_before[1]:.2f} x the step before"
            yield Row(
                f"{added} more, until {size:,} have all children",
                f"{seconds:.1f} s, {each * 1000:.0f} ms each{growth}",
                "1,000 in < 180 s; linear within 15 %",
            )
            spent = self.scene.processor_seconds() - used
            yield Row("  children", f"{children / added:g} each")
            yield Row("  the operator's processor time", f"{spent / added * 1000:.0f} ms each")
            yield Row("  its resident memory", self._memory(), "150 MB at 1,000")
            watches = len(self.scene.asked_since(0).watches())
            yield Row("  watches begun so far", str(watches), "constant in N")
            each_before = (size, each)

    def rows_at_rest(self, minutes: float) -> Iterator[Row]:
        """Nothing happens, neither here nor in the controllers of Kubernetes."""
        self._wait_until_nothing_is_looked_at()
        before, used = self.scene.mark(), self.scene.processor_seconds()
        time.sleep(minutes * 60)
        share = (self.scene.processor_seconds() - used) / (minutes * 60)
        writes = self.scene.asked_since(before).writes(without=["leases"])
        what = f"{minutes:g} idle minutes, {len(self.places):,} resources"
        yield Row(f"writes in {what}", count(writes), "0")
        yield Row("  processor, share of a core", f"{share:.1%}", "< 1 %")
        yield Row("  resident memory", self._memory(), "150 MB at 1,000")

    def rows_of_edits(self, edits: int) -> Iterator[Row]:
        """One field is edited, in one resource after the other."""
        before = self.scene.mark()
        for place in self._some(edits):
            change = {"spec": {"retrieval": {"minScore": 0.25}}}
            self.scene.cluster.api.patch(
                RAG_DEPLOYMENT, place.name, change, namespace=place.namespace
            )
        self.scene.wait_quiet(QUIET_SECONDS)
        asked = self.scene.asked_since(before)
        writes = asked.writes(without=["leases", "events"])
        kinds = Counter(entry.path for entry in writes)
        shown = ", ".join(f"{number / edits:g} {path}" for path, number in sorted(kinds.items()))
        yield Row(
            f"writes on an edit of one field, mean of {edits}",
            f"{len(writes) / edits:g}: {shown}",
            "changed children + 2",
        )
        yield Row("  reads", count(asked.reads().without("leases")), "0")

    def rows_of_returns(self, samples: int) -> Iterator[Row]:
        """A child is deleted and comes back, again and again."""
        before = self.scene.mark()
        chance = random.Random(_SEED)
        for place in chance.choices(self.places, k=samples):
            kind, suffix = chance.choice(_TAKEN)
            self._take_away(kind, f"{place.name}-{suffix}", place.namespace)
        self.scene.wait_quiet(QUIET_SECONDS)
        seconds = _returns(self.scene.cluster.audit.since(before))
        yield Row(
            f"from a child's deletion to its return, {len(seconds):,} samples, p50 / p99",
            f"{milliseconds(seconds)}, longest {max(seconds) * 1000:.0f} ms",
            "< 1 s",
        )
        yield from _histogram(seconds)

    def rows_of_restart(self) -> Iterator[Row]:
        """The operator starts again, and nothing has changed."""
        operator = self.scene.operator
        operator.stop()
        before, began = self.scene.mark(), time.monotonic()
        operator.start(timeout=PATIENCE)
        self._wait(lambda: self.scene.metric("reconcile_total") >= len(self.places))
        self._wait(lambda: self.scene.metric("queue_depth") == 0)
        seconds = time.monotonic() - began
        # at its start it asks what it may do, which changes nothing
        questions = ["leases", "selfsubjectaccessreviews"]
        writes = self.scene.asked_since(before).writes(without=questions)
        what = f"start with {len(self.places):,} unchanged, until all were looked at"
        yield Row(what, f"{seconds:.1f} s", "< 15 s")
        yield Row("  writes", count(writes), "0")
        yield Row("  resident memory then", self._memory(), "150 MB")

    # ---- how it is done ----
    def _grow(self, size: int) -> tuple[float, int]:
        """Make resources until there are so many; the seconds that took, and the children made."""
        new = [self._next_place(number) for number in range(len(self.places), size)]
        before = self.scene.mark()
        with ThreadPoolExecutor(CLIENTS) as clients:
            for _ in clients.map(self._create, new):
                pass
        self.places += new
        self._wait(lambda: _complete(self.scene, len(self.places)))
        self.scene.wait_quiet(QUIET_SECONDS)
        asked = self.scene.cluster.audit.since(before)
        applied = asked.of("ragdeployments").writes().where(lambda entry: entry.user != USER)
        children = children_created(asked.by(USER))
        seconds = children[-1].answered - applied[0].received
        return seconds.total_seconds(), len(children)

    def _next_place(self, number: int) -> _Place:
        if number % PER_NAMESPACE == 0:
            self.namespaces.append(_namespace_with_secrets(self.scene))
        return _Place(self.namespaces[-1], f"docs-{number:04d}")

    def _create(self, place: _Place) -> None:
        resource = yaml.safe_load(EXAMPLE.read_text())
        resource["metadata"]["name"] = place.name
        self.scene.cluster.api.apply(resource, namespace=place.namespace)

    def _take_away(self, kind: Kind, name: str, namespace: str) -> None:
        api = self.scene.cluster.api
        uid = api.get(kind, name, namespace=namespace)["metadata"]["uid"]
        api.delete(kind, name, namespace=namespace)

        def is_back(found: Object) -> bool:
            return bool(found["metadata"]["uid"] != uid)

        api.wait_for(kind, name, is_back, namespace=namespace)

    def _wait_until_nothing_is_looked_at(self) -> None:
        def still() -> bool:
            before = self.scene.metric("reconcile_total")
            time.sleep(QUIET_SECONDS)
            return self.scene.metric("reconcile_total") == before

        self._wait(still)

    def _some(self, number: int) -> Sequence[_Place]:
        return random.Random(_SEED).sample(self.places, number)

    def _memory(self) -> str:
        return f"{self.scene.resident_megabytes():.0f} MB"

    def _wait(self, probe: Callable[[], bool]) -> None:
        eventually(probe, what="the operator is done", timeout=PATIENCE, interval=0.25)


def _namespace_with_secrets(scene: Scene) -> str:
    namespace = scene.cluster.create_namespace("bench")
    secrets = {
        "openai": {"api-key": "not-a-key"},
        "stores": {"redis-url": "redis://redis.test:6379/0", "milvus-token": "user:password"},
    }
    for name, values in secrets.items():
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
        scene.cluster.api.create(secret | {"stringData": values}, namespace=namespace)
    return namespace


def _complete(scene: Scene, resources: int) -> bool:
    """Whether as many resources as there should be have got their first status for their spec."""
    found = scene.cluster.api.list(RAG_DEPLOYMENT)
    told = [
        one
        for one in found
        if one.get("status", {}).get("observedGeneration") == one["metadata"]["generation"]
    ]
    return len(told) == resources


def _returns(asked: Entries) -> list[float]:
    """Seconds from the answer to each deletion of a child to the answer to its creation."""
    gone: dict[tuple[str, str, str], datetime] = {}
    seconds = []
    for entry in asked.writes():
        what = (entry.resource, entry.namespace, entry.name)
        if entry.verb == "delete" and entry.user != USER and entry.code < 300:
            gone.setdefault(what, entry.answered)
        elif entry.user == USER and entry.code == CREATED and what in gone:
            seconds.append((entry.answered - gone.pop(what)).total_seconds())
    return seconds


def _histogram(seconds: Sequence[float]) -> Iterator[Row]:
    """One row for each bucket that is not empty, with a bar."""
    least = 0.0
    for most in _BOUNDS:
        inside = sum(least <= value < most for value in seconds)
        if inside:
            share = inside / len(seconds)
            above = "more" if most == _BOUNDS[-1] else f"{most * 1000:g} ms"
            yield Row(f"    {least * 1000:g} to {above}", f"{inside:5d}  {'#' * round(share * 40)}")
        least = most
