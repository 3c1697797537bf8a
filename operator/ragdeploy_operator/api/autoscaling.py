"""How the number of pods follows the load."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field
from pydantic.alias_generators import to_snake

from ragdeploy_operator.api.common import AsInCluster
from ragdeploy_operator.api.model import Model, Rule


class MetricType(StrEnum):
    """Where a metric comes from."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class Metric(Model):
    """A MetricSpec of autoscaling/v2: kubectl explain hpa.spec.metrics."""

    type: MetricType = Field(description="Which of the other fields says more.")
    resource: AsInCluster | None = Field(
        None, description="For Resource: CPU or memory of whole pods."
    )
    container_resource: AsInCluster | None = Field(
        None, description="For ContainerResource: CPU or memory of one container."
    )
    pods: AsInCluster | None = Field(None, description="For Pods: a metric that each pod has.")
    object: AsInCluster | None = Field(None, description="For Object: a metric of another object.")
    external: AsInCluster | None = Field(
        None, description="For External: a metric from outside of the cluster, such as a queue's."
    )

    rules = (
        Rule(
            cel="(self.type == 'Resource') == has(self.resource) "
            "&& (self.type == 'ContainerResource') == has(self.containerResource) "
            "&& (self.type == 'Pods') == has(self.pods) "
            "&& (self.type == 'Object') == has(self.object) "
            "&& (self.type == 'External') == has(self.external)",
            message="a metric needs the field that its type names, and no other: "
            "type Pods needs pods",
            holds=lambda self: (
                {name for name, value in self if name != "type" and value is not None}
                == {to_snake(self.type)}
            ),
        ),
    )


class Autoscaling(Model):
    """A HorizontalPodAutoscaler on CPU; it needs metrics-server or the like."""

    enabled: bool = Field(True, description="Let the load decide the number of pods.")
    min_replicas: int = Field(2, ge=1, le=1000, description="Fewest pods.")
    max_replicas: int = Field(10, ge=1, le=1000, description="Most pods.")
    target_cpu_utilization_percentage: int = Field(
        70, ge=1, le=1000, description="Average CPU use to aim at, in percent of the CPU request."
    )
    metrics: tuple[Metric, ...] = Field(
        (), max_length=16, description="What else to look at; the metric that asks for most wins."
    )
    behavior: AsInCluster | None = Field(
        None,
        description="How fast pods come and go, as in a HorizontalPodAutoscaler: "
        "kubectl explain hpa.spec.behavior --api-version=autoscaling/v2.",
    )

    rules = (
        Rule(
            cel="self.minReplicas <= self.maxReplicas",
            message="autoscaling.minReplicas must not exceed autoscaling.maxReplicas",
            field=".minReplicas",
            holds=lambda self: self.min_replicas <= self.max_replicas,
        ),
    )


class IndexerAutoscaling(Autoscaling):
    """The same for the indexer, which one pod is enough for until there is much to index."""

    enabled: bool = Field(False, description="Let the load decide the number of pods.")
    min_replicas: int = Field(1, ge=1, le=1000, description="Fewest pods.")
    max_replicas: int = Field(4, ge=1, le=1000, description="Most pods.")
