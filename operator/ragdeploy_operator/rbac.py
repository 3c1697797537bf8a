"""What the operator must be allowed to do, as data.

The chart's roles are verified against it, and at the start the operator asks
the API server whether it really may, and says in the log what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ragdeploy_operator.api import GROUP

FOLLOW = ("list", "watch")
READ = ("get", *FOLLOW)
MANAGE = (*READ, "create", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a role, and why it is needed."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    optional: bool = False
    """The operator works without it, and says what it does without."""

    def permissions(self) -> Iterator[tuple[str, str, str]]:
        """Yield group, resource and verb one by one."""
        for resource in self.resources:
            for verb in self.verbs:
                yield self.group, resource, verb


NAMESPACED: tuple[Rule, ...] = (
    Rule(group=GROUP, resources=("ragdeployments",), verbs=READ, why="what is wanted"),
    Rule(
        group=GROUP,
        resources=("ragdeployments/status",),
        verbs=("patch",),
        why="tells how it goes",
    ),
    Rule(
        group=GROUP,
        resources=("ragdeployments/finalizers",),
        verbs=("update",),
        why="children name it as the owner whose deletion they hold up; OpenShift checks this",
    ),
    Rule(
        group="",
        resources=("configmaps", "secrets", "serviceaccounts", "services"),
        verbs=MANAGE,
        why="children; Secrets are also read where a resource refers to them",
    ),
    Rule(group="apps", resources=("deployments", "statefulsets"), verbs=MANAGE, why="children"),
    Rule(
        group="autoscaling", resources=("horizontalpodautoscalers",), verbs=MANAGE, why="children"
    ),
    Rule(group="policy", resources=("poddisruptionbudgets",), verbs=MANAGE, why="children"),
    Rule(
        group="networking.k8s.io",
        resources=("ingresses", "networkpolicies"),
        verbs=MANAGE,
        why="children",
    ),
    Rule(
        group="gateway.networking.k8s.io",
        resources=("httproutes",),
        verbs=MANAGE,
        why="children, where the Gateway API is installed",
        optional=True,
    ),
    Rule(
        group="milvus.io",
        resources=("milvuses",),
        verbs=MANAGE,
        why="children, where the Milvus Operator is installed",
        optional=True,
    ),
    Rule(
        group="monitoring.coreos.com",
        resources=("prometheusrules", "servicemonitors"),
        verbs=MANAGE,
        why="children, where the Prometheus Operator is installed",
        optional=True,
    ),
    Rule(group="", resources=("pods",), verbs=FOLLOW, why="why a part is not ready"),
    Rule(
        group="",
        resources=("persistentvolumeclaims",),
        verbs=(*FOLLOW, "patch"),
        why="why a part is not ready; volumes grow",
    ),
    Rule(
        group="discovery.k8s.io",
        resources=("endpointslices",),
        verbs=FOLLOW,
        why="whether the API can be reached",
    ),
    Rule(
        group="events.k8s.io",
        resources=("events",),
        verbs=("create", "patch"),
        why="what happened, in kubectl describe",
        optional=True,
    ),
)
"""In every namespace that is looked after: a ClusterRole, or a Role in each."""

CLUSTER: tuple[Rule, ...] = (
    Rule(
        group="apiextensions.k8s.io",
        resources=("customresourcedefinitions",),
        verbs=FOLLOW,
        why="kinds of other projects that are installed later",
        optional=True,
    ),
    Rule(
        group="authorization.k8s.io",
        resources=("selfsubjectaccessreviews",),
        verbs=("create",),
        why="asks what it may do; Kubernetes grants this to everybody",
        optional=True,
    ),
)
"""For the whole cluster; not in namespaced mode."""

LEASE: tuple[Rule, ...] = (
    Rule(
        group="coordination.k8s.io",
        resources=("leases",),
        verbs=("get", "create", "update"),
        why="one writer among the replicas",
    ),
)
"""In the operator's own namespace."""
