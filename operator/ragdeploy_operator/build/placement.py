"""Where pods run: what the resource says about it, as fields of a pod."""

from __future__ import annotations

from typing import Any

from ragdeploy_operator.api.placement import Placement, TopologySpread

Json = dict[str, Any]


def fields(placement: Placement) -> Json:
    """Write the pod's fields; those that say nothing are left out."""
    affinity = placement.affinity
    written = {
        "nodeSelector": dict(placement.node_selector or {}),
        "affinity": {
            name: value
            for name, value in (affinity.model_dump(by_alias=True) if affinity else {}).items()
            if value
        },
        "tolerations": [
            one.model_dump(mode="json", by_alias=True, exclude_none=True)
            for one in placement.tolerations
        ],
        "priorityClassName": placement.priority_class_name,
    }
    return {name: value for name, value in written.items() if value}


def spread(constraints: tuple[TopologySpread, ...], labels: dict[str, str]) -> Json:
    """Spread the pods with these labels.

    Counted are those of one revision, or during a rollout the old ones would push the new.
    """
    written = [
        {
            **one.model_dump(mode="json", by_alias=True),
            "labelSelector": {"matchLabels": labels},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for one in constraints
    ]
    return {"topologySpreadConstraints": written} if written else {}


def apart(labels: dict[str, str]) -> Json:
    """Put the pods with these labels on nodes and in zones of their own, where there are enough."""
    return {
        "topologySpreadConstraints": [
            {
                "topologyKey": key,
                "maxSkew": 1,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels},
            }
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ]
    }
