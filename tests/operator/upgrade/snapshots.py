"""What one version of the operator made of a resource, as a file that can be applied.

``<version>/<name>.yaml`` holds the resource, the Secrets that it refers to, and every child
as it was applied last, sorted by kind and name. ``record`` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.kinds import RAG_DEPLOYMENT
from tests.operator.bundle import Bundle

FOLDER = Path(__file__).parent
NAME = "docs"
MANAGER = "ragdeploy-operator"
IMAGES = {
    "RAGDEPLOY_SERVICE_IMAGE": "images.test/service:1",
    "RAGDEPLOY_REDIS_IMAGE": "images.test/redis:1",
    "RAGDEPLOY_MILVUS_IMAGE": "images.test/milvus:1",
}
"""Another default image is a declared change by itself, so these stay."""

_UID = "uid-of-the-resource"
"""Stands in the file for what differs from one cluster to the next."""


def namespace_of(file: Path) -> str:
    """Where a resource is recorded and restored: addresses in the settings hold the namespace."""
    return f"recorded-{file.parent.name.replace('.', '-')}-{file.stem}"


@dataclass(frozen=True)
class Snapshot:
    """One file."""

    resource: Object
    secrets: list[Object]
    """The user's own."""
    children: list[Object]

    @classmethod
    def recorded(cls) -> list[Path]:
        """All files, of all versions."""
        return sorted(FOLDER.glob("*/*.yaml"))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file."""
        resource, *others = yaml.safe_load_all(file.read_text())
        secrets = [one for one in others if "ownerReferences" not in one["metadata"]]
        return cls(resource, secrets, [one for one in others if one not in secrets])

    def save(self, file: Path, *, uid: str) -> None:
        text = yaml.safe_dump_all(
            [self.resource, *self.secrets, *self.children], sort_keys=False, width=120
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(uid, _UID))

    def restore(self, cluster: ControlPlane) -> Bundle:
        """Bring the cluster into the state in which that operator left it."""
        namespace = self.resource["metadata"]["namespace"]
        cluster.make_namespace(namespace)
        for secret in self.secrets:
            cluster.api.apply(secret)
        uid = cluster.api.apply(self.resource)["metadata"]["uid"]
        for child in self.children:
            owners = [owner | {"uid": uid} for owner in child["metadata"]["ownerReferences"]]
            mine = child | {"metadata": child["metadata"] | {"ownerReferences": owners}}
            cluster.api.apply(mine, manager=MANAGER)
        return Bundle(cluster, namespace, NAME)


def resource(spec: Object, *, namespace: str) -> Object:
    """What a user applies."""
    return {
        "apiVersion": RAG_DEPLOYMENT.api_version,
        "kind": RAG_DEPLOYMENT.kind,
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": spec,
    }
