"""From a resource to the manifests of its children, without side effects.

The same resource and context always give the same manifests: no clock, no
randomness, no I/O. What the cluster knows comes in through the context.
"""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import (
    api,
    cache,
    config,
    credentials,
    dashboard,
    indexer,
    ingress,
    monitoring,
    scaling,
    vector_store,
)
from ragdeploy_operator.build.context import BuildContext, Images
from ragdeploy_operator.build.manifest import Manifest
from ragdeploy_operator.build.network_policies import network_policies

__all__ = ["BuildContext", "Images", "Manifest", "build"]


def build(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Build all children of ``resource``, in the order in which to apply them.

    What a pod reads comes before the pod, and what it calls before its caller.
    """
    children = [
        *vector_store.build(resource, context),
        *cache.build(resource, context),
        *credentials.api_key(resource, context),
        config.config_map(resource),
        api.service_account(resource),
        api.service(resource),
        api.deployment(resource, context),
        indexer.deployment(resource, context),
        *scaling.build(resource),
        *ingress.ingress(resource),
        *ingress.route(resource, context),
        *monitoring.service_monitor(resource, context),
        *monitoring.prometheus_rule(resource, context),
        *dashboard.config_map(resource, context),
    ]
    if context.stores_asleep:
        children = [_asleep(child) for child in children]
    return [*network_policies(resource, children), *children]


def _asleep(child: Manifest) -> Manifest:
    if child["kind"] != "StatefulSet":
        return child
    return {**child, "spec": {**child["spec"], "replicas": 0}}
