"""What holds for every child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given

from ragdeploy_operator.build import build
from tests.operator.unit.resources import (
    API_KEY,
    CACHE_PASSWORD,
    Children,
    Json,
    children,
    context,
    parsed,
    stored,
)
from tests.operator.unit.specs import specs

OFF = {"enabled": False}
EXTERNAL = {
    "cache": {"external": {"urlSecretRef": {"name": "redis", "key": "url"}}},
    "vectorStore": {"external": {"uri": "http://milvus:19530"}},
}


def refs(built: Children) -> list[str]:
    return [f"{m['kind']} {m['metadata']['name']}" for m in built.manifests]


def test_one_resource_yields_a_whole_application_in_the_order_to_apply_it() -> None:
    assert refs(children()) == [
        "NetworkPolicy docs-vector-store",
        "NetworkPolicy docs-cache",
        "NetworkPolicy docs-api",
        "NetworkPolicy docs-indexer",
        "ConfigMap docs-vector-store",
        "Service docs-vector-store",
        "StatefulSet docs-vector-store",
        "ConfigMap docs-cache",
        "Secret docs-cache",
        "Service docs-cache",
        "StatefulSet docs-cache",
        "Secret docs-api-key",
        "ConfigMap docs-config",
        "ServiceAccount docs-api",
        "Service docs-api",
        "Deployment docs-api",
        "Deployment docs-indexer",
        "HorizontalPodAutoscaler docs-api",
        "PodDisruptionBudget docs-api",
        "Service docs-indexer",
        "ServiceMonitor docs-api",
        "PrometheusRule docs-api",
        "ConfigMap docs-dashboard",
    ]


def test_parts_that_are_off_or_elsewhere_have_no_children() -> None:
    spec = EXTERNAL | {
        "auth": {"enabled": False},
        "api": {"autoscaling": {"enabled": False}},
        "monitoring": {"serviceMonitor": OFF, "prometheusRule": OFF, "dashboard": OFF},
        "network": {"networkPolicy": {"enabled": False}},
    }
    assert refs(children(spec)) == [
        "ConfigMap docs-config",
        "ServiceAccount docs-api",
        "Service docs-api",
        "Deployment docs-api",
        "Deployment docs-indexer",
        "PodDisruptionBudget docs-api",
    ]


def test_every_child_is_controlled_by_its_resource() -> None:
    for child in children().manifests:
        assert child["metadata"]["namespace"] == "shop"
        assert child["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "ragdeploy.io/v1alpha1",
                "kind": "RagDeployment",
                "name": "docs",
                "uid": stored()["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]


def test_every_child_and_every_pod_has_the_standard_labels() -> None:
    built = children()
    labelled = [m["metadata"] for m in built.manifests]
    labelled += [template["metadata"] for template in built.pod_templates.values()]
    for metadata in labelled:
        assert (
            metadata["labels"].items()
            >= {
                "app.kubernetes.io/name": "ragdeploy",
                "app.kubernetes.io/part-of": "ragdeploy",
                "app.kubernetes.io/managed-by": "ragdeploy-operator",
                "ragdeploy.io/name": "docs",
            }.items()
        )
        assert metadata["labels"]["app.kubernetes.io/component"] in (
            "api",
            "indexer",
            "cache",
            "vector-store",
        )
        # Argo CD tells its own objects by this one, and would prune what it did not make
        assert "app.kubernetes.io/instance" not in metadata["labels"]


def test_selectors_find_the_pods_of_their_component_and_no_others() -> None:
    built = children()
    for m in built.manifests:
        if m["kind"] not in ("Service", "Deployment", "StatefulSet", "PodDisruptionBudget"):
            continue
        selector = m["spec"]["selector"]
        wanted = selector.get("matchLabels", selector).items()
        selected = [
            name
            for name, template in built.pod_templates.items()
            if template["metadata"]["labels"].items() >= wanted
        ]
        assert selected == [m["metadata"]["name"]]


def reordered(value: Any) -> Any:
    """The same JSON with the keys of all objects in another order."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(specs())
def test_the_same_resource_always_gives_the_same_manifests(spec: Json) -> None:
    one, other = children(spec), children(reordered(spec))
    assert json.dumps(one.manifests, sort_keys=True) == json.dumps(other.manifests, sort_keys=True)


def test_another_process_gives_the_same_manifests() -> None:
    script = (
        "import json; from tests.operator.unit.resources import children;"
        "print(json.dumps(children().manifests))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )
    assert json.loads(run.stdout) == children().manifests


@given(specs())
def test_generated_secrets_stand_in_secrets_only(spec: Json) -> None:
    for child in children(spec).manifests:
        if child["kind"] != "Secret":
            assert API_KEY not in json.dumps(child)
            assert CACHE_PASSWORD not in json.dumps(child)


def test_a_context_does_not_show_its_secrets() -> None:
    shown = repr(context(parsed()))
    assert API_KEY not in shown
    assert CACHE_PASSWORD not in shown


MEANINGFUL = (".emptyDir", ".podSelector", ".namespaceSelector")


def empty_parts(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        inner = [p for key, v in value.items() for p in empty_parts(v, f"{path}.{key}")]
    elif isinstance(value, list):
        inner = [p for i, v in enumerate(value) for p in empty_parts(v, f"{path}[{i}]")]
    else:
        return [path] if value is None else []
    return inner if value else [path]


@given(specs())
def test_nothing_is_written_that_the_api_server_would_drop(spec: Json) -> None:
    """It stores neither null nor empty objects, except where they mean something."""
    for child in children(spec).manifests:
        found = [path for path in empty_parts(child) if not path.endswith(MEANINGFUL)]
        assert found == []


def test_a_build_leaves_its_inputs_alone() -> None:
    resource = parsed({"llm": {"baseURL": "http://llm"}})
    facts = context(resource)
    before = resource.model_dump()
    build(resource, facts)[0]["metadata"]["labels"]["mine"] = "yes"
    assert resource.model_dump() == before
    assert "mine" not in build(resource, facts)[0]["metadata"]["labels"]


@pytest.mark.parametrize(
    "workload", ["docs-api", "docs-indexer", "docs-cache", "docs-vector-store"]
)
def test_no_pod_can_talk_to_the_api_server(workload: str) -> None:
    assert children().pod(workload)["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    "workload", ["docs-api", "docs-indexer", "docs-cache", "docs-vector-store"]
)
def test_credentials_for_the_registry_reach_every_pod(workload: str) -> None:
    spec = {"image": {"pullSecrets": [{"name": "registry"}]}}
    assert children(spec).pod(workload)["imagePullSecrets"] == [{"name": "registry"}]
