"""Where the time of one create goes: request by request, and processor time by process."""

from __future__ import annotations

from statistics import median

from benchmarks.operator.measures import create_one_by_one
from benchmarks.operator.scene import CREATED, Scene, children_created
from benchmarks.procfs import processor_seconds
from benchmarks.report import Row
from tests.controlplane import Entries
from tests.support.operator import USER


def account(scene: Scene, resources: int, children: int) -> list[Row]:
    """Create resources one after the other, and take the one of median length apart.

    Rows are when a request of the operator came, in milliseconds after the apply, and how long the
    API server took for it.
    """
    processes = {
        "operator": scene.operator.process.pid,
        "kube-apiserver": scene.cluster.apiserver.pid,
        "etcd": scene.cluster.etcd.pid,
        "kube-controller-manager": scene.cluster.controller_manager.pid,
    }
    namespaces = [scene.create_namespace() for _ in range(resources)]
    before = {name: processor_seconds(pid) for name, pid in processes.items()}
    seconds = create_one_by_one(scene, namespaces, children)
    used = {name: processor_seconds(pid) - before[name] for name, pid in processes.items()}
    typical = min(seconds, key=lambda name: abs(seconds[name] - median(seconds.values())))
    return [
        Row("apply to all children, the median one", f"{seconds[typical] * 1000:.0f} ms"),
        *_requests(scene.cluster.audit.since().where(lambda entry: entry.namespace == typical)),
        *(
            Row(f"processor time a create, {name}", f"{took / resources * 1000:.0f} ms")
            for name, took in used.items()
        ),
    ]


def _requests(asked: Entries) -> list[Row]:
    """What the operator asked for until the last child was there."""
    applied = next(entry for entry in asked.of("ragdeployments") if entry.code == CREATED)
    ours = asked.by(USER)
    last = max(entry.answered for entry in children_created(ours))
    rows = []
    for entry in sorted((applied, *ours), key=lambda one: one.received):
        if entry.received > last:
            break
        begun = (entry.received - applied.received).total_seconds() * 1000
        took = (entry.answered - entry.received).total_seconds() * 1000
        rows.append(
            Row(f"  {entry.verb} {entry.path} {entry.name}", f"{begun:.0f} + {took:.0f} ms")
        )
    return rows
