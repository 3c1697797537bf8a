"""What all pods have in common. All of it satisfies the Pod Security profile "restricted"."""

from __future__ import annotations

from typing import Any

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.common import Resources
from ragdeploy_operator.api.environment import Variable
from ragdeploy_operator.api.placement import Placement
from ragdeploy_operator.build import names, placement

Json = dict[str, Any]


def template(
    resource: RagDeployment,
    component: names.Component,
    *,
    annotations: dict[str, str],
    placed: Placement,
    user: int,
    group: int,
    volume_group: int,
    containers: list[Json],
    volumes: list[Json],
    grace_seconds: int,
    **more: Any,
) -> Json:
    """Make a pod template that runs as ``user`` and ``group``.

    ``annotations`` win over those of ``placed``. Volumes belong to ``volume_group``, which the
    processes are members of too. ``grace_seconds`` is the time between the request to stop and the
    kill.
    """
    return {
        "metadata": {
            "labels": names.labels(resource.name, component),
            "annotations": {**(placed.pod_annotations or {}), **annotations},
        },
        "spec": {
            "automountServiceAccountToken": False,
            # Kubernetes would add variables of every Service, and "<name>-api" of a
            # resource named "rag" would become RAG_API_PORT.
            "enableServiceLinks": False,
            "securityContext": {
                **pod_security(),
                "runAsUser": user,
                "runAsGroup": group,
                "fsGroup": volume_group,
                "fsGroupChangePolicy": "OnRootMismatch",
            },
            "terminationGracePeriodSeconds": grace_seconds,
            "containers": containers,
            "volumes": volumes,
            **pull_secrets(resource),
            **placement.fields(placed),
            **more,
        },
    }


def pull_secrets(resource: RagDeployment) -> Json:
    """Write the field ``imagePullSecrets``; nothing if the resource names none."""
    secrets = [{"name": secret.name} for secret in resource.spec.image.pull_secrets]
    return {"imagePullSecrets": secrets} if secrets else {}


def pod_security() -> Json:
    """Write what the profile ``restricted`` asks of a pod.

    With `container_security` it is all of it:
    https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted.
    """
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def container_security() -> Json:
    """Take from a container what it does not need."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def resources(wanted: Resources) -> Json:
    """Write a container's field ``resources``; nothing if there are neither requests nor limits."""
    parts = {"requests": wanted.requests, "limits": wanted.limits}
    given = {name: dict(amounts) for name, amounts in parts.items() if amounts}
    return {"resources": given} if given else {}


def from_secret(variable: str, *, name: str, key: str) -> Json:
    """Make an environment variable that holds one key of a Secret."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def variable(given: Variable) -> Json:
    """Make an environment variable that a user has added."""
    if given.value_from is None:
        return {"name": given.name, "value": given.value or ""}
    ref = given.value_from.secret_key_ref
    return from_secret(given.name, name=ref.name, key=ref.key)


def port(name: str, number: int) -> Json:
    """Make a container port."""
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def http_get(path: str, port_name: str) -> Json:
    """Ask over HTTP."""
    return {"httpGet": {"path": path, "port": port_name, "scheme": "HTTP"}}


def probe(action: Json, *, every: int, failures: int, timeout: int) -> Json:
    """Make a probe: ``every`` so many seconds, each with a ``timeout`` in seconds."""
    return {
        **action,
        "periodSeconds": every,
        "failureThreshold": failures,
        "timeoutSeconds": timeout,
    }


def empty_dir(name: str) -> Json:
    """Make a volume that lives as long as the pod."""
    return {"name": name, "emptyDir": {}}


def mount(name: str, path: str, *, read_only: bool = False) -> Json:
    """Mount a volume."""
    return {"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})}
