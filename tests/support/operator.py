"""The operator as it is shipped: its manifest in a cluster, its process under that account."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx
import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.support.process import Process, free_port
from tests.support.waiting import PATIENCE

MANIFEST = Path(__file__).parents[2] / "manifests" / "install.yaml"
NAMESPACE = "ragdeploy-system"
ACCOUNT = "ragdeploy-operator"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
"""What the audit log calls the operator."""

_INHERITED = ("HOME", "PATH", "LANG", "TMPDIR")


def install(cluster: ControlPlane) -> None:
    """Apply ``manifests/install.yaml``: the CRD, the account and its RBAC.

    All but the Deployment, because there is no node that could run it.
    """
    for manifest in shipped_manifests():
        if manifest["kind"] == "CustomResourceDefinition":
            cluster.api.define(manifest)
        elif manifest["kind"] != "Deployment":
            cluster.api.apply(manifest)


def shipped_manifests() -> list[Object]:
    """What the manifest holds, in its order."""
    return [document for document in yaml.safe_load_all(MANIFEST.read_text()) if document]


class OperatorProcess:
    """``python -m ragdeploy_operator`` with the rights of the shipped ServiceAccount.

    >>> install(cluster)
    >>> with OperatorProcess(cluster, folder=tmp_path) as operator:
    ...     cluster.api.apply(resource, namespace=namespace)

    Args:
        cluster: Where it works; ``install`` must have been there.
        folder: For its log.
        settings: Further environment variables.
        token: Run as somebody else.
    """

    def __init__(
        self,
        cluster: ControlPlane,
        *,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> None:
        self.port = free_port()
        token = token or cluster.service_account_token(NAMESPACE, ACCOUNT)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        here = {
            "KUBECONFIG": str(cluster.kubeconfig_as(token)),
            "RAGDEPLOY_NAMESPACE": NAMESPACE,
            "RAGDEPLOY_HTTP_HOST": "127.0.0.1",
            "RAGDEPLOY_HTTP_PORT": str(self.port),
            "RAGDEPLOY_LOG_FORMAT": "text",
        }
        self.process = Process(
            [sys.executable, "-m", "ragdeploy_operator"],
            log=folder / f"operator-{self.port}.log",
            env=inherited | here | dict(settings or {}),
            name="operator",
        )
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=30, trust_env=False
        )

    @property
    def log(self) -> str:
        """All it has written so far."""
        return self.process.log

    def start(self, *, timeout: float = PATIENCE) -> Self:
        """Start it and return once it says that it is ready.

        Raises:
            DidNotStart: It ended first, or was not ready within ``timeout`` seconds.
        """
        self.process.start().wait_ready(self.ready, timeout=timeout)
        return self

    def stop(self, *, timeout: float = 30) -> int | None:
        """End it as Kubernetes would, with SIGTERM; its return code."""
        return self.process.stop(timeout=timeout)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.http.close()
