"""How many pods of the service there are, and how many may go at once."""

from __future__ import annotations

from collections.abc import Iterator

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.application import Workload
from ragdeploy_operator.build import disruption, names
from ragdeploy_operator.build.manifest import Manifest, manifest


def build(resource: RagDeployment) -> Iterator[Manifest]:
    """Yield the autoscalers and budgets of the API and of the indexer.

    There is nothing to scale while the resource is suspended.
    """
    api, indexer = resource.spec.api, resource.spec.indexer
    api_name, indexer_name = names.api(resource.name), names.indexer(resource.name)
    yield from _autoscaler(resource, names.Component.API, api_name, api)
    yield from _autoscaler(resource, names.Component.INDEXER, indexer_name, indexer)
    yield from _disruption_budget(resource, names.Component.API, api_name, api)
    if indexer.autoscaling.enabled or indexer.replicas > 1:
        # that of a single pod would say nothing
        yield from _disruption_budget(resource, names.Component.INDEXER, indexer_name, indexer)


def _autoscaler(
    resource: RagDeployment, component: names.Component, name: str, workload: Workload
) -> Iterator[Manifest]:
    """Make the HorizontalPodAutoscaler, unless it is switched off.

    It looks at our container only: a sidecar without a CPU request, which a
    service mesh may add, would stop it from working.
    """
    scaling = workload.autoscaling
    if not scaling.enabled or resource.spec.suspend:
        return
    cpu = {
        "name": "cpu",
        "container": str(component),
        "target": {
            "type": "Utilization",
            "averageUtilization": scaling.target_cpu_utilization_percentage,
        },
    }
    yield manifest(
        resource,
        api_version="autoscaling/v2",
        kind="HorizontalPodAutoscaler",
        name=name,
        component=component,
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metrics": [
                {"type": "ContainerResource", "containerResource": cpu},
                *(
                    one.model_dump(mode="json", by_alias=True, exclude_none=True)
                    for one in scaling.metrics
                ),
            ],
            **({"behavior": scaling.behavior} if scaling.behavior else {}),
        },
    )


def _disruption_budget(
    resource: RagDeployment, component: names.Component, name: str, workload: Workload
) -> Iterator[Manifest]:
    wanted = workload.pod_disruption_budget
    if wanted.enabled:
        yield disruption.budget(
            resource, component, name=name, max_unavailable=wanted.max_unavailable
        )
