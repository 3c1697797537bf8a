"""How far a workload has come."""

from __future__ import annotations

from dataclasses import dataclass

from ragdeploy_operator.objects import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Counts of pods. ``deadline_missed``: Kubernetes has given up hope."""

    desired: int
    pods: int
    updated: int
    ready: int
    observed: bool
    """Whether its controller has seen the latest version of it."""
    deadline_missed: bool = False
    failure: str | None = None
    """Why no pod can be made, in Kubernetes' words."""

    @property
    def complete(self) -> bool:
        """Whether all pods, and no others, are of the latest version and ready."""
        return self.observed and self.pods == self.updated == self.ready == self.desired


def rollout(workload: Json) -> Rollout:
    """Read a projected Deployment or StatefulSet."""
    status = workload["status"]
    conditions = {condition["type"]: condition for condition in status["conditions"]}
    failure = conditions.get("ReplicaFailure", {})
    return Rollout(
        desired=workload["spec"].get("replicas", 1),
        pods=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        observed=status.get("observedGeneration", 0) >= workload["metadata"]["generation"],
        deadline_missed=conditions.get("Progressing", {}).get("reason")
        == "ProgressDeadlineExceeded",
        failure=failure.get("message") if failure.get("status") == "True" else None,
    )
