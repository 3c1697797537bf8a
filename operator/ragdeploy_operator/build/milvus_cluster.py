"""The managed Milvus as a cluster: a resource for the Milvus Operator, which does the rest.

Of that resource we own what the RagDeployment says and no more. The Milvus Operator writes its
defaults beside it, and so may anybody else (server-side apply keeps both).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.v1alpha1 import VolumePolicy
from ragdeploy_operator.api.workloads import ManagedVectorStore, MilvusCluster
from ragdeploy_operator.build import names, placement, pods, services
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.images import reference
from ragdeploy_operator.build.manifest import Manifest, manifest

KIND = "Milvus"
PORT = 19530

_DEFAULT_STREAM = "pulsar"
"""Message stream of a cluster, where the resource names none (milvus-operator, docs/CRD)."""


def uri(resource: RagDeployment) -> str:
    """Address of the cluster: of the Service that the Milvus Operator makes."""
    return f"http://{services.host(resource, f'{names.milvus(resource.name)}-milvus')}:{PORT}"


def build(
    resource: RagDeployment, context: BuildContext, managed: ManagedVectorStore
) -> list[Manifest]:
    """Make the Milvus resource; none where the Milvus Operator is not installed."""
    if KIND not in context.kinds:
        return []
    given = managed.cluster or MilvusCluster()
    spec = {
        "mode": "cluster",
        "components": _merged(_components(resource, context, managed), given.components or {}),
        "dependencies": _merged(
            _dependencies(resource, given.dependencies or {}), given.dependencies or {}
        ),
        "config": given.config or {},
    }
    return [
        manifest(
            resource,
            api_version="milvus.io/v1beta1",
            kind=KIND,
            name=names.milvus(resource.name),
            component=names.Component.VECTOR_STORE,
            spec={field: value for field, value in spec.items() if value},
        )
    ]


def _components(
    resource: RagDeployment, context: BuildContext, managed: ManagedVectorStore
) -> pods.Json:
    image = managed.image
    return {
        "image": reference(image, default=context.images.milvus),
        "imagePullPolicy": str(image.pull_policy),
        **pods.pull_secrets(resource),
        **pods.resources(managed.resources),
        **placement.fields(managed),
        **({"podAnnotations": dict(managed.pod_annotations)} if managed.pod_annotations else {}),
    }


def _dependencies(resource: RagDeployment, given: Mapping[str, Any]) -> pods.Json:
    """What becomes of the data when the resource is deleted; the Milvus Operator retains it."""
    if resource.spec.persistent_volume_claim_policy is not VolumePolicy.DELETE:
        return {}
    stream = given.get("msgStreamType", _DEFAULT_STREAM)
    return {
        part: {"inCluster": {"deletionPolicy": "Delete", "pvcDeletion": True}}
        for part in ("etcd", "storage", stream)
        if not given.get(part, {}).get("external")
    }


def _merged(ours: Mapping[str, Any], given: Mapping[str, Any]) -> pods.Json:
    """What is given wins, field by field."""
    both = {
        name: _merged(ours[name], value)
        for name, value in given.items()
        if isinstance(value, Mapping) and isinstance(ours.get(name), Mapping)
    }
    return {**ours, **given, **both}
