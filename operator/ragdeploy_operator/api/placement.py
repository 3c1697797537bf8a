"""Where the pods of a part run, and what they carry besides what the operator gives them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, WithJsonSchema

from ragdeploy_operator.api.common import AsInCluster, ObjectName
from ragdeploy_operator.api.labels import QUALIFIED_NAME, Annotations, Labels, are_qualified
from ragdeploy_operator.api.model import Model, Rule

OWN_ANNOTATIONS = "ragdeploy.io/"
"""Begins the names of the annotations by which the operator rolls pods."""

PodsOrPercent = Annotated[
    int | str,
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "minimum": 1,
            "pattern": r"^([1-9][0-9]?|100)%$",
            "maxLength": 4,
        }
    ),
]
"""A number of pods, or a share of them, but never none."""


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class TolerationOperator(StrEnum):
    """How a toleration is matched with a taint."""

    EQUAL = "Equal"
    EXISTS = "Exists"


class Toleration(Model):
    """Taints that the pods may run in spite of."""

    key: str | None = Field(
        None, max_length=316, description="Key of the taint; all taints when absent."
    )
    operator: TolerationOperator = Field(
        TolerationOperator.EQUAL,
        description="Equal compares value, Exists takes any.",
    )
    value: str | None = Field(None, max_length=63, description="Value of the taint, for Equal.")
    effect: TaintEffect | None = Field(
        None, description="Effect of the taint; all effects when absent."
    )
    toleration_seconds: int | None = Field(
        None,
        ge=0,
        le=2**31 - 1,
        description="How long a pod stays once the taint is there, in seconds; for ever when "
        "absent.",
    )

    rules = (
        Rule(
            cel="has(self.key) || self.operator == 'Exists'",
            message="a toleration without key needs operator Exists",
            field=".operator",
            holds=lambda self: bool(self.key) or self.operator == TolerationOperator.EXISTS,
        ),
        Rule(
            cel="!has(self.value) || self.operator == 'Equal'",
            message="a toleration with operator Exists has no value",
            field=".value",
            holds=lambda self: self.value is None or self.operator == TolerationOperator.EQUAL,
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            message="tolerationSeconds needs effect NoExecute",
            field=".tolerationSeconds",
            holds=lambda self: (
                self.toleration_seconds is None or self.effect == TaintEffect.NO_EXECUTE
            ),
        ),
    )


class Affinity(Model):
    """Which nodes, and nearness to which other pods, the pods want or need."""

    node_affinity: AsInCluster | None = Field(
        None, description="As in a Pod: kubectl explain pod.spec.affinity.nodeAffinity."
    )
    pod_affinity: AsInCluster | None = Field(
        None, description="As in a Pod: kubectl explain pod.spec.affinity.podAffinity."
    )
    pod_anti_affinity: AsInCluster | None = Field(
        None, description="As in a Pod: kubectl explain pod.spec.affinity.podAntiAffinity."
    )


class Placement(Model):
    """Where the pods of a part run. Parts inherit it, so that the fields are the same in all."""

    node_selector: Labels | None = Field(
        None, description="Labels that a node must have for the pods to run there."
    )
    affinity: Affinity | None = Field(
        None, description="Which nodes, and nearness to which other pods, the pods want or need."
    )
    tolerations: tuple[Toleration, ...] = Field(
        (), max_length=32, description="Taints that the pods may run in spite of."
    )
    priority_class_name: ObjectName | None = Field(
        None, description="PriorityClass of the pods; the cluster's default when absent."
    )
    pod_annotations: Annotations | None = Field(
        None, description="Annotations of the pods, for service meshes and the like."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.nodeSelector) || "
            f"self.nodeSelector.all(name, name.matches('^{QUALIFIED_NAME}$'))",
            message="nodeSelector must have names that Kubernetes takes for labels, "
            "such as disk or example.com/pool",
            field=".nodeSelector",
            holds=lambda self: are_qualified(self.node_selector or {}),
        ),
        Rule(
            cel="!has(self.podAnnotations) || self.podAnnotations.all(name, "
            f"name.matches('^{QUALIFIED_NAME}$') && !name.startsWith('{OWN_ANNOTATIONS}'))",
            message="podAnnotations must have names that Kubernetes takes for annotations, such as "
            f"example.com/team, and not begin with {OWN_ANNOTATIONS}, which is the operator's own",
            field=".podAnnotations",
            holds=lambda self: (
                are_qualified(given := self.pod_annotations or {})
                and not any(name.startswith(OWN_ANNOTATIONS) for name in given)
            ),
        ),
    )


class WhenUnsatisfiable(StrEnum):
    """What becomes of a pod that cannot be placed evenly."""

    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"


class TopologySpread(Model):
    """How evenly the pods lie over nodes, zones or the like."""

    topology_key: str = Field(
        min_length=1,
        max_length=316,
        description="Label of nodes; nodes with the same value are one place.",
    )
    max_skew: int = Field(
        1, ge=1, le=1000, description="How many more pods one place may have than another."
    )
    when_unsatisfiable: WhenUnsatisfiable = Field(
        WhenUnsatisfiable.SCHEDULE_ANYWAY,
        description="Run a pod in spite of it (ScheduleAnyway) or let it wait (DoNotSchedule).",
    )


class DisruptionBudget(Model):
    """How many pods may be missing while nodes are drained."""

    enabled: bool = Field(True, description="Make a PodDisruptionBudget.")
    max_unavailable: PodsOrPercent = Field(
        1,
        description="Pods that may be missing at once, or their share such as 25%. At least one, "
        "so that a node can always be drained.",
    )


class ReplicatedPlacement(Placement):
    """Where the pods of a part run that has several of the same kind."""

    topology_spread: tuple[TopologySpread, ...] = Field(
        (
            TopologySpread(topology_key="kubernetes.io/hostname"),
            TopologySpread(topology_key="topology.kubernetes.io/zone"),
        ),
        max_length=8,
        description="How evenly the pods are spread; an empty list leaves it to the cluster.",
    )
    pod_disruption_budget: DisruptionBudget = Field(
        DisruptionBudget(), description="How many pods may be missing while nodes are drained."
    )

    rules = (
        *Placement.rules,
        Rule(
            cel="self.topologySpread.all(one, self.topologySpread.exists_one(other, "
            "one.topologyKey == other.topologyKey "
            "&& one.whenUnsatisfiable == other.whenUnsatisfiable))",
            message="topologySpread must name each pair of topologyKey and whenUnsatisfiable once",
            field=".topologySpread",
            holds=lambda self: (
                len({(one.topology_key, one.when_unsatisfiable) for one in self.topology_spread})
                == len(self.topology_spread)
            ),
        ),
    )
