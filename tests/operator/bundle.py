"""One RagDeployment in a cluster, as its user sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.audit import Entries
from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    HTTP_ROUTE,
    INGRESS,
    MILVUS,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    PROMETHEUS_RULE,
    RAG_DEPLOYMENT,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    STATEFUL_SET,
    Kind,
)
from tests.support.operator import USER
from tests.support.waiting import PATIENCE, eventually

ALL_CHILDREN = frozenset(
    {
        (CONFIG_MAP, "config"),
        (CONFIG_MAP, "cache"),
        (CONFIG_MAP, "vector-store"),
        (DEPLOYMENT, "api"),
        (DEPLOYMENT, "indexer"),
        (HORIZONTAL_POD_AUTOSCALER, "api"),
        (NETWORK_POLICY, "api"),
        (NETWORK_POLICY, "indexer"),
        (NETWORK_POLICY, "cache"),
        (NETWORK_POLICY, "vector-store"),
        (POD_DISRUPTION_BUDGET, "api"),
        (SECRET, "api-key"),
        (SECRET, "cache"),
        (SERVICE, "api"),
        (SERVICE, "cache"),
        (SERVICE, "vector-store"),
        (SERVICE_ACCOUNT, "api"),
        (STATEFUL_SET, "cache"),
        (STATEFUL_SET, "vector-store"),
    }
)
"""Children of a resource with an empty spec: kind, and name after the resource's own."""

WRITTEN_KINDS = (*{kind for kind, _ in ALL_CHILDREN}, INGRESS)
OPTIONAL_KINDS = (HTTP_ROUTE, MILVUS, PROMETHEUS_RULE, SERVICE_MONITOR)
"""Of other projects."""

_EVENTS = Kind("events.k8s.io/v1", "Event")


class Bundle:
    """A RagDeployment and its children.

    >>> docs = Bundle(cluster, namespace).apply(api={"replicas": 3})
    >>> docs.wait_condition("Ready", "True")
    """

    def __init__(self, cluster: ControlPlane, namespace: str, name: str = "docs") -> None:
        self.cluster = cluster
        self.api = cluster.api
        self.namespace = namespace
        self.name = name

    # ---- the resource ----
    def apply(self, **spec: object) -> Bundle:
        """Create or edit it: ``spec`` is all that the user's file says."""
        self.api.apply(
            {
                "apiVersion": RAG_DEPLOYMENT.api_version,
                "kind": RAG_DEPLOYMENT.kind,
                "metadata": {"name": self.name},
                "spec": spec,
            },
            namespace=self.namespace,
        )
        return self

    def get(self) -> Object:
        return self.api.get(RAG_DEPLOYMENT, self.name, namespace=self.namespace)

    def delete(self, **options: str) -> None:
        self.api.delete(RAG_DEPLOYMENT, self.name, namespace=self.namespace, **options)

    def conditions(self) -> dict[str, Object]:
        status = self.get().get("status", {})
        return {condition["type"]: condition for condition in status.get("conditions", [])}

    def condition(self, kind: str) -> Object | None:
        return self.conditions().get(kind)

    def wait_condition(
        self, kind: str, status: str, *, reason: str | None = None, timeout: float = PATIENCE
    ) -> Object:
        """The condition, once it has this status for the latest generation."""

        def probe() -> Object | None:
            found = self.get()
            conditions = found.get("status", {}).get("conditions", [])
            condition = next((c for c in conditions if c["type"] == kind), None)
            assert condition, f"no condition {kind} in {found.get('status')}"
            assert condition["status"] == status, condition
            assert reason in (None, condition["reason"]), condition
            assert condition["observedGeneration"] == found["metadata"]["generation"], condition
            return condition

        return eventually(probe, what=f"{kind} of {self.name} to be {status}", timeout=timeout)

    def events(self) -> Sequence[Object]:
        """What the operator told about it."""
        about = f"regarding.uid={self.get()['metadata']['uid']}"
        return self.api.list(_EVENTS, namespace=self.namespace, field_selector=about)

    # ---- its children ----
    def child(self, kind: Kind, suffix: str) -> Object:
        return self.api.get(kind, f"{self.name}-{suffix}", namespace=self.namespace)

    def find(self, kind: Kind, suffix: str) -> Object | None:
        return self.api.find(kind, f"{self.name}-{suffix}", namespace=self.namespace)

    def wait_child(
        self, kind: Kind, suffix: str, condition: Callable[[Object], object] = lambda _: True
    ) -> Object:
        return self.api.wait_for(kind, f"{self.name}-{suffix}", condition, namespace=self.namespace)

    def wait_gone(self, kind: Kind, suffix: str) -> None:
        self.api.wait_gone(kind, f"{self.name}-{suffix}", namespace=self.namespace)

    def children(self) -> dict[tuple[Kind, str], Object]:
        """All that is there of the kinds that the operator writes, by kind and suffix."""
        kinds = (*WRITTEN_KINDS, *filter(self._serves, OPTIONAL_KINDS))
        return {
            (kind, obj["metadata"]["name"].removeprefix(f"{self.name}-")): obj
            for kind in kinds
            for obj in self.api.list(
                kind, namespace=self.namespace, selector=f"ragdeploy.io/name={self.name}"
            )
        }

    def wait_children(self) -> Bundle:
        """Return once all children of an empty spec are there."""

        def complete() -> bool:
            missing = ALL_CHILDREN - self.children().keys()
            assert not missing, f"missing: {sorted((kind.kind, name) for kind, name in missing)}"
            return True

        eventually(complete, what=f"all children of {self.name}")
        return self

    def run(self) -> Bundle:
        """Let a kubelet, on paper, run all pods from now on; returns once it is Ready."""
        self.cluster.kubelet.run(self.namespace)
        self.wait_condition("Ready", "True")
        return self

    def _serves(self, kind: Kind) -> bool:
        return any(
            found["spec"]["names"]["kind"] == kind.kind
            for found in self.api.list(Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"))
        )


def writes_of_operator(entries: Entries, namespace: str | None = None) -> Entries:
    """What the operator wrote, its Lease, its questions about itself and its Events aside."""
    return entries.writes(
        user=USER, without=("leases", "selfsubjectaccessreviews", "events"), namespace=namespace
    )
