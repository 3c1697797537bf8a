"""What is kept of an object: what a reconcile compares or a status tells, and no more.

Two versions of an object with the same projection are the same to us, so what
only moves times or counters (an autoscaler's metrics, a probe's heartbeat)
wakes nobody. The projection is stored as JSON text, which takes a tenth of the
memory of the parsed object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ragdeploy_operator.engine.client import FIELD_MANAGER
from ragdeploy_operator.objects import Json

Projection = Callable[[Json], Json]

REPLICAS_MANAGERS = "replicasManagers"
"""Key of a projected Deployment: who besides us manages ``spec.replicas``."""

OURS = "us"
"""Our own name among the replicas managers."""

_NOISE = frozenset(
    {"managedFields", "resourceVersion", "creationTimestamp", "selfLink", "generateName"}
)
# the items of a list lack the first two, those of a watch have them
_FRAME = frozenset({"apiVersion", "kind", "metadata", "status"})
_CONDITION = ("type", "status", "reason", "message")


def child(obj: Json) -> Json:
    """A child that we write: all but bookkeeping and status."""
    kept = {name: value for name, value in obj.items() if name not in _FRAME}
    return {**kept, "metadata": _metadata(obj)}


def exposed(obj: Json) -> Json:
    """A Service or an Ingress: with the addresses at which it can be reached from outside."""
    balancer = obj.get("status", {}).get("loadBalancer", {})
    addresses = [_pick(one, "ip", "hostname") for one in balancer.get("ingress") or ()]
    return {**child(obj), "status": {"addresses": addresses}}


def route(obj: Json) -> Json:
    """An HTTPRoute: with what the Gateways say to it."""
    parents = [
        {
            "parentRef": _pick(parent["parentRef"], "namespace", "name", "sectionName"),
            "conditions": _conditions(parent),
        }
        for parent in obj.get("status", {}).get("parents") or ()
    ]
    return {**child(obj), "status": {"parents": parents}}


def workload(obj: Json) -> Json:
    """A Deployment or StatefulSet: with its counts, its conditions, and who scales it."""
    status = obj.get("status", {})
    kept = _pick(
        status,
        "observedGeneration",
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "currentRevision",
        "updateRevision",
    )
    return {
        **child(obj),
        "status": {**kept, "conditions": _conditions(status)},
        REPLICAS_MANAGERS: sorted(_managers_of_replicas(obj)),
    }


def milvus(obj: Json) -> Json:
    """A Milvus of the Milvus Operator: how it is, and of which generation that holds."""
    status = obj.get("status", {})
    kept = _pick(status, "status", "observedGeneration")
    return {**child(obj), "status": {**kept, "conditions": _conditions(status)}}


def autoscaler(obj: Json) -> Json:
    """A HorizontalPodAutoscaler: what it wants and whether it can, not what it measures."""
    status = obj.get("status", {})
    return {
        **child(obj),
        "status": {**_pick(status, "desiredReplicas"), "conditions": _conditions(status)},
    }


def pod(obj: Json) -> Json:
    """A pod: why it is not ready."""
    status = obj.get("status", {})
    containers = [
        _pick(container, "name", "image", "ready", "started", "state", "lastState")
        for field in ("initContainerStatuses", "containerStatuses")
        for container in status.get(field, ())
    ]
    return {
        "metadata": _metadata(obj),
        "status": {
            **_pick(status, "phase", "reason", "message"),
            "conditions": _conditions(status),
            "containers": [_without_times(container) for container in containers],
        },
    }


def claim(obj: Json) -> Json:
    """A PersistentVolumeClaim: whether it has its volume, and how much it asks for."""
    return {
        "metadata": _metadata(obj),
        "spec": _pick(obj["spec"], "storageClassName", "resources"),
        "status": _pick(obj.get("status", {}), "phase"),
    }


def endpoint_slice(obj: Json) -> Json:
    """An EndpointSlice: how many endpoints can be sent requests."""
    # an absent "ready" means ready, says the API
    ready = sum(
        endpoint.get("conditions", {}).get("ready", True) is not False
        for endpoint in obj.get("endpoints") or ()
    )
    return {"metadata": _metadata(obj), "ready": ready}


def custom_resource(obj: Json) -> Json:
    """A RagDeployment: all but bookkeeping; its status is compared with the new one."""
    return {**child(obj), "status": obj.get("status", {})}


def _metadata(obj: Json) -> Json:
    return {name: value for name, value in obj["metadata"].items() if name not in _NOISE}


def _conditions(status: Mapping[str, Any]) -> list[Json]:
    return [_pick(condition, *_CONDITION) for condition in status.get("conditions") or ()]


def _pick(source: Mapping[str, Any], *names: str) -> Json:
    return {name: source[name] for name in names if name in source}


def _without_times(container: Json) -> Json:
    for field in ("state", "lastState"):
        container[field] = {
            phase: _pick(detail or {}, "reason", "message", "exitCode")
            for phase, detail in container.get(field, {}).items()
        }
    return container


def _managers_of_replicas(obj: Json) -> set[str]:
    """Who manages ``spec.replicas``, from the object's managedFields; ``us`` for ourselves."""
    managers = set()
    for entry in obj["metadata"].get("managedFields", ()):
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}):
            manager, operation = entry.get("manager", ""), entry.get("operation")
            ours = manager == FIELD_MANAGER and operation == "Apply"
            managers.add(OURS if ours else manager or "unknown")
    return managers
