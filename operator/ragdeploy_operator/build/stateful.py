"""What the cache and the vector store share: pods with a volume each."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.common import Storage
from ragdeploy_operator.build import names
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_operator.build.pods import Json

DATA = "data"
"""Name of the volume claim; that of the first pod is ``data-<StatefulSet>-0``."""


def stateful_set(
    resource: RagDeployment,
    component: names.Component,
    *,
    name: str,
    storage: Storage,
    template: Json,
    replicas: int = 1,
) -> Manifest:
    """Make a StatefulSet of pods that have a volume each for their data.

    Several start at the same time: none can wait until those before it are ready, because they are
    ready only together.
    """
    policy = str(resource.spec.persistent_volume_claim_policy)
    claim: Json = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.class_name is not None:
        claim["storageClassName"] = storage.class_name
    return manifest(
        resource,
        api_version="apps/v1",
        kind="StatefulSet",
        name=name,
        component=component,
        spec={
            "replicas": replicas,
            **({"podManagementPolicy": "Parallel"} if replicas > 1 else {}),
            "serviceName": name,
            "selector": {"matchLabels": names.selector(resource.name, component)},
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": policy,
                "whenScaled": "Retain",
            },
            "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": DATA}, "spec": claim}],
        },
    )
