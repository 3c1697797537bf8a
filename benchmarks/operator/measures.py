"""The measures themselves, each from what the audit log says."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from benchmarks.operator.scene import CREATED, Scene, children_created
from benchmarks.report import Row, milliseconds
from tests.controlplane import Entries
from tests.support.operator import USER
from tests.support.waiting import eventually

QUIET_SECONDS = 3.0
AUTOSCALER_SECONDS = 20.0
"""An autoscaler looks every 15 s; what it says first is no idle write."""
IDENTICAL_APPLIES = 10


def writes_of_one(scene: Scene, namespace: str) -> tuple[list[Row], int]:
    """Create one resource and wait until it is ready; its rows, and its number of children."""
    before = scene.mark()
    with scene.cluster.kubelet.running(namespace):
        scene.apply(namespace)
        scene.wait_ready(namespace)
        scene.wait_quiet(QUIET_SECONDS)
    asked = scene.asked_since(before)
    children = children_created(asked)
    writes = asked.writes(without=["leases"])
    status = writes.where(lambda entry: entry.path == "ragdeployments/status")
    events = writes.of("events")
    again = writes.without("events").where(
        lambda entry: entry.path != "ragdeployments/status" and entry.code != CREATED
    )
    rows = [
        Row(
            f"writes on create until Ready, k = {len(children)} children",
            str(len(writes)),
            "k + 3 + events",
        ),
        *(
            Row(f"  {resource}", str(count), "")
            for resource, count in sorted(Counter(e.path for e in children).items())
        ),
        Row("  ragdeployments/status", str(len(status)), "at most 3"),
        Row("  events", str(len(events)), ""),
        Row("  children written again", str(len(again)), "0"),
        *_shown(again),
    ]
    return rows, len(children)


def writes_without_a_change(scene: Scene, namespace: str) -> list[Row]:
    """Apply the same again, then touch what has no effect."""
    before = scene.mark()
    for _ in range(IDENTICAL_APPLIES):
        scene.apply(namespace)
    time.sleep(QUIET_SECONDS)
    applied = scene.asked_since(before).writes(without=["leases"])

    before, reconciled = scene.mark(), scene.metric("reconcile_total")
    scene.annotate(namespace)
    eventually(lambda: scene.metric("reconcile_total") > reconciled, what="a reconcile")
    touched = scene.asked_since(before).writes(without=["leases"])
    return [
        Row(f"writes on {IDENTICAL_APPLIES} identical applies", count(applied), "0"),
        *_shown(applied),
        Row("writes on a reconcile that finds nothing to do", count(touched), "0"),
        *_shown(touched),
    ]


def times_one_by_one(scene: Scene, namespaces: Sequence[str], children: int) -> list[Row]:
    """Create resources one after the other; each is timed until its last child exists."""
    before, reconciled = scene.mark(), scene.metric("reconcile_total")
    seconds = create_one_by_one(scene, namespaces, children).values()
    reconciles = scene.metric("reconcile_total") - reconciled
    asked = scene.asked_since(before)
    reads = len(asked.reads().without("leases"))
    what = f"apply to all children, {len(namespaces)} one by one, p50 / p99"
    return [
        Row(what, milliseconds(tuple(seconds)), "100 / 500 ms"),
        Row("reads per reconcile", f"{reads / reconciles:.2f}  ({count(asked.reads())})", "0"),
        Row("watches begun for them", str(len(asked.watches())), "0"),
    ]


def create_one_by_one(scene: Scene, namespaces: Sequence[str], children: int) -> dict[str, float]:
    """Create a resource in each namespace when the one before is done.

    Returns:
        By namespace, seconds from the receipt of the apply to the answer to the last child's
        creation.
    """
    before = scene.mark()
    for namespace in namespaces:
        began = scene.mark()
        scene.apply(namespace)
        _wait_for_children(scene, began, children)
    scene.wait_quiet(QUIET_SECONDS)
    return _times(scene, before, namespaces)


def times_at_once(scene: Scene, namespaces: Sequence[str], children: int) -> list[Row]:
    """Create resources as fast as one client can."""
    before = scene.mark()
    for namespace in namespaces:
        scene.apply(namespace)
    _wait_for_children(scene, before, children * len(namespaces))
    seconds = tuple(_times(scene, before, namespaces).values())
    what = f"the same, {len(namespaces)} at once, p50 / p99"
    return [Row(what, milliseconds(seconds), "")]


def idle(scene: Scene, namespaces: Sequence[str], minutes: float) -> list[Row]:
    """Let all resources become ready, and then do nothing."""
    for namespace in namespaces:
        scene.cluster.kubelet.run(namespace)
    for namespace in namespaces:
        scene.wait_ready(namespace)
    scene.wait_quiet(AUTOSCALER_SECONDS)
    before, used = scene.mark(), scene.processor_seconds()
    time.sleep(minutes * 60)
    share = (scene.processor_seconds() - used) / (minutes * 60)
    writes = scene.asked_since(before).writes()
    waiting = f"{minutes:g} idle minutes, {len(namespaces)} resources"
    return [
        Row(f"writes in {waiting}", count(writes.without("leases")), "0"),
        *_shown(writes.without("leases")),
        Row("  leases", str(len(writes.of("leases"))), "the Lease only"),
        Row("  processor, share of a core", f"{share:.1%}", "< 1 %"),
        Row("  resident memory", f"{scene.resident_megabytes():.0f} MB", "70 to 150 MB"),
    ]


def _wait_for_children(scene: Scene, since: int, children: int) -> None:
    eventually(
        lambda: len(children_created(scene.asked_since(since))) >= children,
        what=f"{children} children",
        timeout=120,
        interval=0.5,  # each look asks the API server, which has enough to do
    )


def _times(scene: Scene, since: int, namespaces: Sequence[str]) -> dict[str, float]:
    """Seconds from an apply's receipt to the answer to its last child's creation, by namespace."""
    everybody = scene.cluster.audit.since(since)
    applied = {
        entry.namespace: entry.received
        for entry in everybody.of("ragdeployments").writes()
        if entry.code == CREATED
    }
    done: dict[str, datetime] = {}
    for entry in children_created(everybody.by(USER)):
        done[entry.namespace] = max(entry.answered, done.get(entry.namespace, entry.answered))
    return {name: (done[name] - applied[name]).total_seconds() for name in namespaces}


def count(entries: Entries) -> str:
    """How many, and of what."""
    by_path = Counter(f"{entry.verb} {entry.path}" for entry in entries)
    return ", ".join([str(len(entries)), *(f"{n} {path}" for path, n in by_path.items())])


def _shown(surprises: Entries) -> list[Row]:
    """Each write that should not be, and what it said."""
    return [Row(f"    {entry.path} {entry.name}", json.dumps(entry.body)) for entry in surprises]
