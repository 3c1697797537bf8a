"""A real API server takes what is built, as it is, and in the strictest namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import build
from tests.operator.unit.apiserver import ApiServer
from tests.operator.unit.resources import Children, Json, context, manifest, stored

SECRET = {"name": "secret", "key": "key"}
PLACEMENT: Json = {
    "nodeSelector": {"disk": "ssd"},
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}
                ]
            }
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 3, "podAffinityTerm": {"topologyKey": "rack", "labelSelector": {}}}
            ]
        },
    },
    "tolerations": [
        {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        {"key": "gpu", "value": "a", "effect": "NoSchedule"},
    ],
    "podAnnotations": {"sidecar.istio.io/inject": "false"},
}
METRICS: Json = {
    "metrics": [
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "questions_in_flight"},
                "target": {"type": "AverageValue", "averageValue": "10"},
            },
        }
    ],
    "behavior": {
        "scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
        "scaleDown": {"stabilizationWindowSeconds": 600},
    },
}
SPECS: dict[str, Json] = {
    "minimal": {},
    "everything set": {
        "image": {"tag": "1", "pullSecrets": [{"name": "registry"}]},
        "api": {
            "replicas": 3,
            "autoscaling": {"minReplicas": 3, "maxReplicas": 30, **METRICS},
            "resources": {
                "requests": {"cpu": "1000m", "memory": "0.5Gi", "ephemeral-storage": "1024Mi"},
                "limits": {"cpu": "2500m", "memory": "1.5Gi", "ephemeral-storage": "2Gi"},
            },
            "drainSeconds": 0,
            "topologySpread": [{"topologyKey": "rack", "maxSkew": 2}],
            "podDisruptionBudget": {"maxUnavailable": "25%"},
            "extraEnv": [
                {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": SECRET}},
            ],
            **PLACEMENT,
        },
        "indexer": {
            "replicas": 2,
            "autoscaling": {"enabled": True, **METRICS},
            "topologySpread": [],
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            **PLACEMENT,
        },
        "llm": {"baseURL": "http://llm", "apiKeySecretRef": SECRET, "temperature": 0.25},
        "embedding": {"backend": "torch", "model": "intfloat/e5-small"},
        "cache": {
            "managed": {
                "replicas": 3,
                "storage": {"size": "2048Mi", "className": "fast"},
                **PLACEMENT,
            }
        },
        "vectorStore": {
            "managed": {"storage": {"size": "1.5Gi", "className": "fast"}, **PLACEMENT}
        },
        "auth": {"apiKeysSecretRef": {"name": "keys"}},
        "network": {
            "service": {"type": "LoadBalancer", "annotations": {"cloud.example/scheme": "public"}},
            "ingress": {
                "className": "nginx",
                "host": "rag.example.com",
                "tls": {},
                "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
            },
            "networkPolicy": {
                "allowedFrom": [
                    {"podSelector": {}, "namespaceSelector": {"matchLabels": {"team": "web"}}},
                    {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}},
                ],
                "allowedTo": [{"ipBlock": {"cidr": "2001:db8::/64"}}],
            },
        },
        "persistentVolumeClaimPolicy": "Delete",
    },
    "external stores, nothing optional": {
        "api": {
            "autoscaling": {"enabled": False},
            "resources": {},
            "topologySpread": [],
            "podDisruptionBudget": {"enabled": False},
        },
        "cache": {"external": {"urlSecretRef": SECRET}},
        "vectorStore": {"external": {"uri": "http://milvus:19530", "tokenSecretRef": SECRET}},
        "auth": {"enabled": False},
    },
}
STATEFUL = ("docs-cache", "docs-vector-store")
NAMES = ("docs", "d" * 63)


@pytest.fixture(scope="module")
def restricted(apiserver: ApiServer) -> Iterator[str]:
    """A namespace where Pod Security refuses, and warns of, all that is not restricted."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    name = apiserver.cluster.create_namespace("restricted", labels=labels)
    yield name
    apiserver.cluster.delete_namespace(name)


def children_of(spec: Json, name: str, namespace: str) -> Children:
    resource = RagDeployment.parse(stored(spec, name=name, namespace=namespace))
    # no ServiceMonitor: its definition comes with another project
    return Children(build(resource, context(resource, kinds=frozenset())))


def differences(wanted: Any, live: Any, path: str = "") -> list[str]:
    """Where ``live`` does not hold what is wanted; what it holds besides does not count."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return [
            difference
            for key, value in wanted.items()
            for difference in differences(value, live.get(key), f"{path}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [
            difference
            for i, (one, other) in enumerate(zip(wanted, live, strict=True))
            for difference in differences(one, other, f"{path}[{i}]")
        ]
    same = type(wanted) is type(live) and wanted == live
    return [] if same else [f"{path}: {wanted!r} is stored as {live!r}"]


@pytest.mark.parametrize("name", NAMES, ids=["short name", "63 characters"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_all_children_are_taken_without_a_warning_and_stored_as_written(
    spec: Json, name: str, apiserver: ApiServer, restricted: str
) -> None:
    apiserver.try_apply(manifest(spec, name=name), namespace=restricted)
    for child in children_of(spec, name, restricted).manifests:
        live = apiserver.try_apply(child, namespace=restricted)
        assert apiserver.warnings == []
        assert differences(child, live) == []


@pytest.mark.behaviour(45)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_all_pods_are_admitted_in_a_restricted_namespace(
    spec: Json, apiserver: ApiServer, restricted: str
) -> None:
    """Deployments are only warned of; what is enforced is their pods."""
    for name, template in children_of(spec, "docs", restricted).pod_templates.items():
        pod_spec = {k: v for k, v in template["spec"].items() if k != "serviceAccountName"}
        claims = [{"name": "data", "emptyDir": {}}] if name in STATEFUL else []
        pod_spec["volumes"] = pod_spec["volumes"] + claims
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": template["metadata"] | {"name": name},
            "spec": pod_spec,
        }
        apiserver.try_create(pod, namespace=restricted)
        assert apiserver.warnings == []


def test_the_restricted_namespace_would_refuse_another_pod(
    apiserver: ApiServer, restricted: str
) -> None:
    """Or the test above would prove nothing."""
    template = children_of({}, "docs", restricted).pod_templates["docs-cache"]
    containers = [template["spec"]["containers"][0] | {"volumeMounts": [], "securityContext": {}}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose"},
        "spec": template["spec"] | {"containers": containers},
    }
    with pytest.raises(Exception, match="violates PodSecurity"):
        apiserver.try_create(pod, namespace=restricted)
