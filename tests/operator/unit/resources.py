"""Short ways to a resource and to what is built from it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ragdeploy_operator.api import API_VERSION, KIND, RagDeployment
from ragdeploy_operator.build import BuildContext, Images, Manifest, build

Json = dict[str, Any]

IMAGES = Images(
    service="registry.example/service:1.0",
    redis="registry.example/redis:7",
    milvus="registry.example/milvus:2",
)
API_KEY = "k-generated-api-key"
CACHE_PASSWORD = "p-generated-password"


def manifest(spec: Json | None = None, *, name: str = "docs", namespace: str = "shop") -> Json:
    """What a user would apply."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec or {},
    }


def stored(spec: Json | None = None, **metadata: str) -> Json:
    """The same, as the API server gives it back."""
    found = manifest(spec, **metadata)
    found["metadata"] |= {"uid": "0b0c7a1e-6f3d-4d8e-9a39-4f0a3a0f9c11", "generation": 1}
    return found


def parsed(spec: Json | None = None, **metadata: str) -> RagDeployment:
    return RagDeployment.parse(stored(spec, **metadata))


def context(resource: RagDeployment, **changes: Any) -> BuildContext:
    """A cluster in which nothing has been made yet."""
    facts: Json = {
        "images": IMAGES,
        "api_key": API_KEY,
        "cache_password": CACHE_PASSWORD,
        "api_replicas": resource.spec.api.first_replicas,
        "indexer_replicas": resource.spec.indexer.first_replicas,
        "kinds": frozenset({"HTTPRoute", "Milvus", "PrometheusRule", "ServiceMonitor"}),
    }
    return BuildContext(**(facts | changes))


class Children:
    """The built manifests, by kind and name."""

    def __init__(self, manifests: list[Manifest]) -> None:
        self.manifests = manifests
        self.by_ref = {(m["kind"], m["metadata"]["name"]): m for m in manifests}
        assert len(self.by_ref) == len(manifests), "two children have one kind and name"

    def __getitem__(self, ref: tuple[str, str]) -> Manifest:
        return self.by_ref[ref]

    def __contains__(self, ref: tuple[str, str]) -> bool:
        return ref in self.by_ref

    def kinds(self, name: str) -> set[str]:
        return {kind for kind, other in self.by_ref if other == name}

    @property
    def pod_templates(self) -> dict[str, Json]:
        """Pod templates by the name of their workload."""
        return {
            m["metadata"]["name"]: m["spec"]["template"]
            for m in self.manifests
            if m["kind"] in ("Deployment", "StatefulSet")
        }

    def pod(self, workload: str) -> Json:
        found: Json = self.pod_templates[workload]["spec"]
        return found

    def container(self, workload: str) -> Json:
        (found,) = self.pod(workload)["containers"]
        return dict(found)

    def secret(self, name: str) -> dict[str, str]:
        return {k: b64decode(v).decode() for k, v in self["Secret", name]["data"].items()}

    def environment(
        self, workload: str, secret_values: Mapping[tuple[str, str], str]
    ) -> dict[str, str]:
        """What a process finds in its environment, Secrets looked up as a kubelet does."""
        container = self.container(workload)
        found: dict[str, str] = {}
        for source in container["envFrom"]:
            found |= self["ConfigMap", source["configMapRef"]["name"]]["data"]
        for entry in container["env"]:
            if "value" in entry:
                found[entry["name"]] = entry["value"]
                continue
            ref = entry["valueFrom"]["secretKeyRef"]
            own = ("Secret", ref["name"]) in self
            values = self.secret(ref["name"]) if own else None
            found[entry["name"]] = (
                values[ref["key"]] if values else secret_values[ref["name"], ref["key"]]
            )
        return found


def children(spec: Json | None = None, *, name: str = "docs", **changes: Any) -> Children:
    """Build what belongs to a resource."""
    resource = parsed(spec, name=name)
    return Children(build(resource, context(resource, **changes)))


def rolls(before: Json, after: Json, **after_context: Any) -> set[str]:
    """Workloads whose pods are replaced when the resource changes so."""
    old, new = children(before), children(after, **after_context)
    return {
        name
        for name, template in new.pod_templates.items()
        if template != old.pod_templates.get(name)
    }


def merged(base: Json, change: Json) -> Json:
    """``base`` with ``change`` laid over it, as a JSON merge patch does."""
    out = deepcopy(base)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = deepcopy(value)
    return out
