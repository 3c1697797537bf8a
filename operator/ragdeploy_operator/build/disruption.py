"""PodDisruptionBudgets: how many pods of a part may go at once when nodes are drained."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.build.manifest import Manifest, manifest


def budget(
    resource: RagDeployment, component: names.Component, *, name: str, max_unavailable: int | str
) -> Manifest:
    """Let nodes be drained a few pods at a time.

    Counted in pods that may be missing, so that a single pod can still be moved; and pods that
    are not ready never hold up a drain.

    Args:
        resource: Whose pods they are.
        component: Which of them.
        name: Of the budget; that of the workload.
        max_unavailable: A number of pods, or a share such as ``25%``.
    """
    return manifest(
        resource,
        api_version="policy/v1",
        kind="PodDisruptionBudget",
        name=name,
        component=component,
        spec={
            "maxUnavailable": max_unavailable,
            "selector": {"matchLabels": names.selector(resource.name, component)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    )
