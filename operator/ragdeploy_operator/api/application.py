"""The parts that run the service's image: the API."""

from __future__ import annotations

from pydantic import Field

from ragdeploy_operator.api.autoscaling import Autoscaling
from ragdeploy_operator.api.common import Resources
from ragdeploy_operator.api.environment import ServicePods
from ragdeploy_operator.api.model import Rule, setting
from ragdeploy_operator.api.placement import ReplicatedPlacement

DEFAULT_REPLICAS = 2


class Api(ServicePods, ReplicatedPlacement):
    """The pods that answer questions and index documents."""

    replicas: int = Field(
        DEFAULT_REPLICAS,
        ge=1,
        le=1000,
        description="Number of API pods while autoscaling is off; with autoscaling on, "
        "the number to start with.",
    )
    autoscaling: Autoscaling = Field(Autoscaling(), description="How the number follows the load.")
    resources: Resources = Field(
        Resources(
            requests={"cpu": "100m", "memory": "384Mi"},
            limits={"memory": "1Gi"},
        ),
        description="Resources of one API pod.",
    )
    drain_seconds: int = setting(
        "drain_seconds",
        "Time that running requests get when a pod stops, in seconds.",
        default=20,
    )

    rules = (
        *ServicePods.rules,
        *ReplicatedPlacement.rules,
        Rule(
            cel="!self.autoscaling.enabled || "
            "'cpu' in self.resources.?requests.orValue({}) || "
            "'cpu' in self.resources.?limits.orValue({})",
            message="autoscaling measures against the CPU request: set api.resources.requests.cpu, "
            "or api.autoscaling.enabled to false",
            field=".resources",
            holds=lambda self: not self.autoscaling.enabled or "cpu" in self.resources.names(),
        ),
        Rule(
            cel="!self.autoscaling.enabled || !oldSelf.autoscaling.enabled "
            f"|| self.replicas == oldSelf.replicas || self.replicas == {DEFAULT_REPLICAS}",
            message="autoscaling decides the number of API pods: change "
            "api.autoscaling.minReplicas and maxReplicas, or set api.autoscaling.enabled to false",
            field=".replicas",
        ),
    )

    @property
    def first_replicas(self) -> int:
        """Number of pods to start with."""
        scaling = self.autoscaling
        if not scaling.enabled:
            return self.replicas
        return min(max(self.replicas, scaling.min_replicas), scaling.max_replicas)
