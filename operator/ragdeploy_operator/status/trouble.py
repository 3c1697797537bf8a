"""Why the pods of a part are not ready, in words that stay the same while the cause does.

What Kubernetes says of a pod that keeps failing changes all the time (counters,
growing waits, two reasons in turn). A status that repeated it would be written
again and again, so it is translated into one sentence per cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragdeploy_operator.objects import Json

NOT_READY = "NotReady"
"""Reason of the trouble that a pod runs and its readiness probe fails."""

PODS_REFUSED = "PodsRefused"
"""Reason of the trouble that no more pods can be made: a quota, or a policy."""

WAITING_FOR_STORE = "WaitingForStore"
"""The same, while the vector store that it needs has no ready pod: it tells what is the matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the bundle that runs as pods, and which fields of the resource decide about it."""

    component: str
    workload: str
    """Kind of the workload."""
    name: str
    """Name of the workload."""
    namespace: str
    image_field: str
    resources_field: str
    placement_field: str
    """Path of the part, under which nodeSelector, affinity and tolerations stand."""
    storage_field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A cause: ``reason`` for programs, ``message`` for people."""

    reason: str
    message: str


_PULL_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_PULL_CAUSES = (
    (("not found", "notfound", "manifest unknown"), "the registry does not have it"),
    (("unauthorized", "denied", "forbidden", "authentication"), "the registry refuses access"),
    (("no such host", "timeout", "refused", "dial tcp", "tls"), "the registry cannot be reached"),
    (("invalidimagename", "invalid reference"), "that is not an image name"),
    (("never",), "the node does not have it, and the pull policy is Never"),
)
# In the words of the scheduler's plugins (pkg/scheduler/framework/plugins).
_PLACEMENT = (
    ("node affinity/selector", "nodeSelector and affinity"),
    ("untolerated taint", "tolerations"),
    ("pod affinity rules", "affinity"),
    ("pod anti-affinity rules", "affinity"),
    ("topology spread constraints", "topologySpread"),
)
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def is_ready(pod: Json) -> bool:
    """Whether a pod is ready and not on its way out."""
    return "deletionTimestamp" not in pod["metadata"] and any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"]["conditions"]
    )


def is_running(pod: Json) -> bool:
    """Whether a pod has not ended; one that was evicted stays as a record."""
    return pod["status"].get("phase") not in ("Succeeded", "Failed")


def find(part: Part, *, pods: Iterable[Json], claims: Sequence[Json]) -> Trouble | None:
    """Say what keeps a pod of ``part`` from being ready; None if nothing but time is known to."""
    pending = [claim for claim in claims if claim["status"].get("phase") == "Pending"]
    for claim in pending:
        # the cluster fills in its default class: without one, nobody will provide a volume
        if not claim["spec"].get("storageClassName"):
            return _no_storage_class(part, claim)
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"] or is_ready(pod):
            continue
        if found := _unscheduled(part, pod, pending) or _failing(part, pod):
            return found
    return None


def _no_storage_class(part: Part, claim: Json) -> Trouble:
    return Trouble(
        reason="NoStorageClass",
        message=f"PersistentVolumeClaim {claim['metadata']['name']} names no storage class, and "
        f"the cluster has no default one. Set {part.storage_field}.className, or mark a "
        "StorageClass as default.",
    )


def _unscheduled(part: Part, pod: Json, pending: Sequence[Json]) -> Trouble | None:
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            break
    else:
        return None
    told = condition.get("message", "the scheduler gives no reason").split(" preemption:")[0]
    told = told.removesuffix(" no new claims to deallocate,")
    if "object has been modified" in told:
        return None  # the scheduler met another writer, and tries again at once
    if pending and not _crowded(told):
        name = pending[0]["metadata"]["name"]
        return Trouble(
            reason="VolumePending",
            message=f"PersistentVolumeClaim {name} waits for storage class "
            f"{pending[0]['spec']['storageClassName']} to provide its volume. "
            f"If that lasts: kubectl describe pvc {name} -n {part.namespace}",
        )
    return Trouble(
        reason="Unschedulable",
        message=f"No node takes pod {pod['metadata']['name']}: {told.rstrip('. ')}. "
        f"{_remedy(part, told)}",
    )


def _remedy(part: Part, told: str) -> str:
    """What to do about a pod that no node takes."""
    fields = dict.fromkeys(words for sign, words in _PLACEMENT if sign in told)
    if fields and "Insufficient" not in told:  # a taint of the control plane's nodes is no cause
        return f"Check {' and '.join(fields)} in {part.placement_field}."
    return f"Make room in the cluster, or lower {part.resources_field}."


def _crowded(told: str) -> bool:
    """Whether the scheduler turned all nodes down for reasons that are not the volume.

    A volume of a class that waits for its first consumer is pending then too: it
    waits for the pod, and not the pod for it.
    """
    words = told.lower()
    return "nodes are available" in words and not (
        "persistentvolume" in words or "persistent volume" in words
    )


def _failing(part: Part, pod: Json) -> Trouble | None:
    for container in pod["status"]["containers"]:
        if container.get("ready"):
            continue
        state = container.get("state", {})
        ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
        waiting = state.get("waiting", {}).get("reason", "")
        if waiting in _PULL_REASONS:
            return _image(part, pod, container, state["waiting"])
        if ended and ended.get("exitCode") != 0:
            return _crash(part, pod, container, ended)
        if waiting and waiting not in _STARTING:
            return Trouble(
                reason=waiting,
                message=f"Pod {pod['metadata']['name']} cannot start: "
                f"{state['waiting'].get('message', waiting).rstrip('.')}. "
                f"{_look_at(part, pod)}",
            )
        # false until its startup probe has passed, which is no trouble as long as it goes on
        if "running" in state and container.get("started") is not False:
            return Trouble(
                reason=NOT_READY,
                message=f"Pod {pod['metadata']['name']} runs but does not pass its readiness "
                f"probe. If that lasts: {_logs(part, pod, container)}",
            )
    return None


def _image(part: Part, pod: Json, container: Json, waiting: Json) -> Trouble:
    told = f"{waiting['reason']} {waiting.get('message', '')}".lower()
    causes = (words for signs, words in _PULL_CAUSES if any(sign in told for sign in signs))
    cause = next(causes, "the node gives no reason")
    return Trouble(
        reason="ImagePullBackOff",
        message=f"Pod {pod['metadata']['name']} cannot pull image {container['image']!r}: "
        f"{cause}. Check {part.image_field}.",
    )


def _crash(part: Part, pod: Json, container: Json, ended: Json) -> Trouble:
    name = pod["metadata"]["name"]
    logs = f"{_logs(part, pod, container)} --previous"
    if ended.get("reason") == "OOMKilled":
        return Trouble(
            reason="OOMKilled",
            message=f"Container {container['name']} of pod {name} was killed because it needed "
            f"more memory than its limit. Raise {part.resources_field}.limits.memory.",
        )
    return Trouble(
        reason="CrashLoopBackOff",
        message=f"Container {container['name']} of pod {name} keeps ending with exit code "
        f"{ended.get('exitCode')}. See: {logs}",
    )


def _logs(part: Part, pod: Json, container: Json) -> str:
    name = pod["metadata"]["name"]
    return f"kubectl logs {name} -c {container['name']} -n {part.namespace}"


def _look_at(part: Part, pod: Json) -> str:
    return f"See: kubectl describe pod {pod['metadata']['name']} -n {part.namespace}"
