"""Programs that run in the cluster beside the bundle, in the service's own image."""

from __future__ import annotations

from pathlib import Path

from ragdeploy_operator.build import pods
from tests.e2e.kubectl import Json

PORT = 8000


def program(
    name: str, *, image: str, runs: str | None = None, environment: dict[str, str] | None = None
) -> list[Json]:
    """Make a pod that runs a file of this folder, and a Service in front of its port.

    Args:
        name: What the pod and the Service are called.
        image: It has Python.
        runs: The file without ``.py``; as the pod is called when absent.
        environment: Variables for it.
    """
    runs = runs or name
    source = Path(__file__).with_name(f"{runs}.py").read_text()
    variables = [{"name": key, "value": value} for key, value in (environment or {}).items()]
    container: Json = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", f"/program/{runs}.py"],
        "env": variables,
        # Ready is who listens: kubectl's port-forward ends for good at the first refusal.
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": pods.container_security(),
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    }
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": pods.pod_security(),
            "containers": [container],
            "volumes": [{"name": "program", "configMap": {"name": name}}],
        },
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {f"{runs}.py": source},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": PORT}]},
        },
        pod,
    ]
