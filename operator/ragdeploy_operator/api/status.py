"""The status of a RagDeployment, as the schema knows it; the engine computes it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ragdeploy_operator.api.model import Model


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One observation about the resource, as metav1.Condition defines it."""

    type: str = Field(max_length=316, description="What is observed, in CamelCase.")
    status: ConditionStatus = Field(description="Whether it holds.")
    observed_generation: int = Field(
        ge=0, description="metadata.generation of the resource that was observed."
    )
    last_transition_time: str = Field(
        description="When status last changed, RFC 3339.",
        json_schema_extra={"format": "date-time"},
    )
    reason: str = Field(max_length=1024, description="Why, as one CamelCase word for programs.")
    message: str = Field(
        max_length=32768, description="Why, for people: the object concerned and the next step."
    )


class ComponentStatus(Model):
    """How many pods of one workload are ready."""

    kind: str = Field(description="Kind of the workload.")
    name: str = Field(description="Name of the workload.")
    ready: int = Field(ge=0, description="Pods that are ready.")
    desired: int = Field(ge=0, description="Pods that should be.")


class Status(Model):
    """What is there."""

    observed_generation: int | None = Field(
        None, ge=0, description="metadata.generation that this status describes."
    )
    conditions: tuple[Condition, ...] = Field(
        (),
        description="Observations: Ready for the whole, one per part, and why if not.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    )
    replicas: int | None = Field(None, ge=0, description="API pods that exist.")
    selector: str | None = Field(None, description="Label selector of the API pods.")
    endpoint: str | None = Field(
        None,
        description="URL of the API: from outside if there is a way, or else inside the cluster.",
    )
    documents: int | None = Field(
        None, ge=0, description="Documents that can be found, in all collections, a minute ago."
    )
    index_generation: str | None = Field(
        None,
        description="Names the index of the default collection; another one once its documents "
        "were embedded anew.",
    )
    components: tuple[ComponentStatus, ...] = Field(
        (),
        description="The workloads, and how many of their pods are ready.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["kind", "name"],
        },
    )
