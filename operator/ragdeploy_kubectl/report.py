"""``kubectl rag report``: an archive of what somebody needs who is to find out what is wrong."""

from __future__ import annotations

import tarfile
import time
from io import BytesIO
from pathlib import Path

from ragdeploy_kubectl.kubectl import Kubectl
from ragdeploy_operator.build import names
from ragdeploy_service.cli.console import Failure

_KINDS = "pods,deployments,statefulsets,services,hpa,pdb,pvc,networkpolicies"
_OPERATOR = "app.kubernetes.io/component=operator,app.kubernetes.io/part-of=ragdeploy"
_LOG_OPTIONS = ("--prefix", "--tail=500")


def write(kubectl: Kubectl, name: str, target: Path) -> None:
    """Write the archive. No Secret is in it; what may not be read says so in its place.

    Args:
        kubectl: In the namespace of the application.
        name: The application.
        target: A file that ends in ``.tar.gz``.
    """
    with tarfile.open(target, "w:gz") as archive:
        for file, arguments in _evidence(name).items():
            try:
                text = kubectl(*arguments)
            except Failure as error:
                text = f"{error}\n"
            data = text.encode()
            entry = tarfile.TarInfo(f"{name}-report/{file}")
            entry.size, entry.mtime = len(data), int(time.time())
            archive.addfile(entry, BytesIO(data))


def _evidence(name: str) -> dict[str, list[str]]:
    """Files of a report, and the arguments of kubectl that fill them."""
    ours = f"--selector={names.NAME_LABEL}={name}"
    logs = {
        f"log-{part}.txt": ["logs", f"{ours},{names.COMPONENT_LABEL}={part}", *_LOG_OPTIONS]
        for part in names.Component
    }
    operator = ["get", "pods", "--all-namespaces", f"--selector={_OPERATOR}", "--output=wide"]
    return {
        "resource.yaml": ["get", "ragd", name, "--output=yaml"],
        "describe.txt": ["describe", "ragd", name],
        "children.txt": ["get", _KINDS, ours, "--output=wide"],
        "pods.txt": ["describe", "pods", ours],
        "events.txt": ["get", "events", "--sort-by=.lastTimestamp"],
        **logs,
        "operator.txt": operator,
        "version.txt": ["version"],
    }
