"""The parts that run the service's image: the API and the indexer."""

from __future__ import annotations

from pydantic import Field

from ragdeploy_operator.api.autoscaling import Autoscaling, IndexerAutoscaling
from ragdeploy_operator.api.common import Resources
from ragdeploy_operator.api.environment import ServicePods
from ragdeploy_operator.api.model import Rule, setting
from ragdeploy_operator.api.placement import ReplicatedPlacement

DEFAULT_REPLICAS = 2
DEFAULT_INDEXERS = 1


class Workload(ServicePods, ReplicatedPlacement):
    """What the API and the indexer have in common; each says how much of it is usual."""

    replicas: int
    autoscaling: Autoscaling
    resources: Resources
    drain_seconds: int

    @property
    def first_replicas(self) -> int:
        """Number of pods to start with."""
        scaling = self.autoscaling
        if not scaling.enabled:
            return self.replicas
        return min(max(self.replicas, scaling.min_replicas), scaling.max_replicas)


def _rules(part: str, *, default_replicas: int) -> tuple[Rule, ...]:
    return (
        *ServicePods.rules,
        *ReplicatedPlacement.rules,
        Rule(
            cel="!self.autoscaling.enabled || "
            "'cpu' in self.resources.?requests.orValue({}) || "
            "'cpu' in self.resources.?limits.orValue({})",
            message=f"autoscaling measures against the CPU request: set {part}.resources.requests"
            f".cpu, or {part}.autoscaling.enabled to false",
            field=".resources",
            holds=lambda self: not self.autoscaling.enabled or "cpu" in self.resources.names(),
        ),
        Rule(
            cel="!self.autoscaling.enabled || !oldSelf.autoscaling.enabled "
            f"|| self.replicas == oldSelf.replicas || self.replicas == {default_replicas}",
            message="autoscaling decides the number of pods: change "
            f"{part}.autoscaling.minReplicas and maxReplicas, or set {part}.autoscaling.enabled "
            "to false",
            field=".replicas",
        ),
    )


class Api(Workload):
    """The pods that answer questions and take documents in."""

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

    rules = _rules("api", default_replicas=DEFAULT_REPLICAS)


class Indexer(Workload):
    """The pods that embed and write documents, so that bulk indexing never slows questions."""

    replicas: int = Field(
        DEFAULT_INDEXERS,
        ge=1,
        le=1000,
        description="Number of indexer pods while autoscaling is off; with autoscaling on, "
        "the number to start with.",
    )
    autoscaling: IndexerAutoscaling = Field(
        IndexerAutoscaling(), description="How the number follows the load; off unless enabled."
    )
    resources: Resources = Field(
        Resources(
            requests={"cpu": "50m", "memory": "320Mi"},
            limits={"memory": "1Gi"},
        ),
        description="Resources of one indexer pod. It takes what CPU is idle; a limit on CPU only "
        "makes it slower.",
    )
    drain_seconds: int = setting(
        "drain_seconds",
        "Time that a pod gets to finish its job when it stops, in seconds; then another pod does "
        "the job again.",
        default=20,
    )

    rules = _rules("indexer", default_replicas=DEFAULT_INDEXERS)
