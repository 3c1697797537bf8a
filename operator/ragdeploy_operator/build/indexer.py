"""The indexer: pods that embed documents and write them, so that questions never wait for it."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names, service_pods
from ragdeploy_operator.build.config import indexing
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest
from ragdeploy_service.settings import Role

COMPONENT = names.Component.INDEXER


def deployment(resource: RagDeployment, context: BuildContext) -> Manifest:
    """Make the Deployment. It takes its jobs from Redis; only Prometheus calls it."""
    return service_pods.deployment(
        resource,
        context,
        service_pods.Setup(
            component=COMPONENT,
            role=Role.INDEXER,
            workload=resource.spec.indexer,
            name=names.indexer(resource.name),
            replicas=context.indexer_replicas,
            settings=indexing(resource),
            secrets=service_pods.store_secrets(resource),
        ),
    )
