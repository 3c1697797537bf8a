"""The status that a kubelet reports for a pod, and the volume that a claim gets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tests.controlplane.api import Object

NODE_NAME = "paper"


def ready(pod: Object, *, address: str, passes_probes: bool = True) -> Object:
    """Every container runs, and passes its readiness probe or not."""
    now = _now()
    running = {"running": {"startedAt": now}}
    return {
        "phase": "Running",
        "startTime": now,
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _conditions(now, is_ready=passes_probes),
        "initContainerStatuses": [
            _container(c, {"terminated": {"exitCode": 0, "reason": "Completed"}}, is_ready=True)
            for c in pod["spec"].get("initContainers", [])
        ],
        "containerStatuses": [
            _container(c, running, is_ready=passes_probes) for c in pod["spec"]["containers"]
        ],
    }


def image_failure(pod: Object) -> Object:
    """No container's image can be pulled."""
    return _waiting(
        pod,
        lambda image: {
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "{image}": not found',
        },
    )


def crashing(pod: Object, *, exit_code: int) -> Object:
    """Every container has ended several times and waits for its next start."""
    report = _waiting(
        pod,
        lambda _: {
            "reason": "CrashLoopBackOff",
            "message": "back-off 40s restarting failed container",
        },
    )
    for status in report["containerStatuses"]:
        status["restartCount"] = 3
        status["lastState"] = {"terminated": {"exitCode": exit_code, "reason": "Error"}}
    return report


def volume_for(claim: Object) -> Object:
    """A PersistentVolume made for one claim, as a provisioner would."""
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{metadata['uid']}"},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName", ""),
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/paper"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        },
    }


def _waiting(pod: Object, why: Callable[[str], Object]) -> Object:
    now = _now()
    return {
        "phase": "Pending",
        "startTime": now,
        "hostIP": "127.0.0.1",
        "conditions": _conditions(now, is_ready=False),
        "containerStatuses": [
            _container(c, {"waiting": why(c["image"])}, is_ready=False)
            for c in pod["spec"]["containers"]
        ],
    }


def _container(container: Object, state: Object, *, is_ready: bool) -> Object:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": is_ready,
        "started": "running" in state,
        "restartCount": 0,
        "state": state,
    }


def _conditions(now: str, *, is_ready: bool) -> list[Object]:
    values = {
        "PodScheduled": True,
        "Initialized": True,
        "ContainersReady": is_ready,
        "Ready": is_ready,
    }
    return [
        {"type": kind, "status": str(value), "lastTransitionTime": now}
        for kind, value in values.items()
    ]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
