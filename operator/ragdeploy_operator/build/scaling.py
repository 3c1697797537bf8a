"""How many API pods there are, and how many may go at once."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.build.api import COMPONENT, CONTAINER
from ragdeploy_operator.build.manifest import Manifest, manifest


def autoscaler(resource: RagDeployment) -> list[Manifest]:
    """Make the HorizontalPodAutoscaler, unless it is switched off.

    It looks at our container only: a sidecar without a CPU request, which a
    service mesh may add, would stop it from working.
    """
    scaling = resource.spec.api.autoscaling
    if not scaling.enabled:
        return []
    name = names.api(resource.name)
    cpu = {
        "name": "cpu",
        "container": CONTAINER,
        "target": {
            "type": "Utilization",
            "averageUtilization": scaling.target_cpu_utilization_percentage,
        },
    }
    return [
        manifest(
            resource,
            api_version="autoscaling/v2",
            kind="HorizontalPodAutoscaler",
            name=name,
            component=COMPONENT,
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
    ]


def disruption_budget(resource: RagDeployment) -> list[Manifest]:
    """Let nodes be drained one API pod at a time, unless the resource says otherwise.

    Counted in pods that may be missing, so that a single pod can still be
    moved; and pods that are not ready never hold up a drain.
    """
    budget = resource.spec.api.pod_disruption_budget
    if not budget.enabled:
        return []
    return [
        manifest(
            resource,
            api_version="policy/v1",
            kind="PodDisruptionBudget",
            name=names.api(resource.name),
            component=COMPONENT,
            spec={
                "maxUnavailable": budget.max_unavailable,
                "selector": {"matchLabels": names.selector(resource.name, COMPONENT)},
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        )
    ]
