"""Every leaf of the spec changes something that is built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ragdeploy_operator.api import Spec
from ragdeploy_operator.api.structural import Schema, models, structural_schema
from tests.operator.unit.resources import Json, children, merged

SECRET = {"name": "secret", "key": "key"}

SURROUNDINGS: dict[str, Json] = {
    "api.replicas": {"api": {"autoscaling": {"enabled": False}}},
    "indexer.autoscaling": {"indexer": {"autoscaling": {"enabled": True}}},
    "indexer.podDisruptionBudget": {"indexer": {"replicas": 2}},
    "monitoring.tracing": {"monitoring": {"tracing": {"endpoint": "http://one"}}},
    "llm": {"llm": {"apiKeySecretRef": SECRET}},
    "embedding.apiKeySecretRef": {"embedding": {"apiKeySecretRef": SECRET}},
    "retrieval.rerank": {
        "retrieval": {
            "rerank": {"backend": "http", "baseURL": "http://one", "apiKeySecretRef": SECRET}
        }
    },
    "cache.external": {"cache": {"external": {"urlSecretRef": SECRET}}},
    "vectorStore.external": {
        "vectorStore": {"external": {"uri": "http://one", "tokenSecretRef": SECRET}}
    },
    "vectorStore.managed.cluster": {"vectorStore": {"managed": {"mode": "cluster"}}},
    "network.gateway": {"network": {"gateway": {"parentRefs": [{"name": "edge"}]}}},
    "network.ingress.tls": {"network": {"ingress": {"host": "one", "tls": {}}}},
}
"""What a field needs around it to mean anything, by the longest matching path."""

EXAMPLES: dict[str, list[Any]] = {
    "promptTemplate": ["{context} {question}", "{question} {context}"],
    "digest": ["sha256:" + "1" * 64, "sha256:" + "2" * 64],
    "interval": ["10s", "1m"],
    "requests": [{"cpu": "100m"}, {"cpu": "200m"}],
    "limits": [{"cpu": "3"}, {"cpu": "4"}],
    "pullSecrets": [[{"name": "one"}], [{"name": "two"}]],
    "annotations": [{"team": "one"}, {"team": "two"}],
    "allowedFrom": [None, [], [{"podSelector": {}}]],
    "allowedTo": [[{"podSelector": {}}], [{"namespaceSelector": {}}]],
    "parentRefs": [[{"name": "edge"}], [{"name": "edge", "namespace": "infra"}]],
    "hostnames": [["rag.example.com"], ["*.example.com"]],
    "labels": [{"team": "one"}, {"team": "two"}],
    "nodeSelector": [{"disk": "ssd"}, {"disk": "hdd"}],
    "podAnnotations": [{"team": "one"}, {"team": "two"}],
    "nodeAffinity": [{"one": []}, {"two": []}],
    "podAffinity": [{"one": []}, {"two": []}],
    "podAntiAffinity": [{"one": []}, {"two": []}],
    "metrics": [[], [{"type": "Pods", "pods": {}}]],
    "components": [{"proxy": {"replicas": 1}}, {"proxy": {"replicas": 2}}],
    "dependencies": [{"msgStreamType": "kafka"}, {"msgStreamType": "pulsar"}],
    "config": [{"log": {"level": "info"}}, {"log": {"level": "debug"}}],
    "behavior": [{"scaleUp": {}}, {"scaleDown": {}}],
    "sampleRatio": [0.5, 1],
    "maxUnavailable": [1, 2, "50%"],
    "topologySpread": [[], [{"topologyKey": "rack"}], [{"topologyKey": "rack", "maxSkew": 2}]],
    "tolerations": [[{"key": "gpu"}], [{"key": "gpu", "effect": "NoSchedule"}]],
    "extraEnv": [[{"name": "A", "value": "1"}], [{"name": "A", "value": "2"}]],
}


def leaves(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    if "properties" not in schema:
        yield path, schema
        return
    for name, field in schema["properties"].items():
        yield from leaves(field, f"{path}.{name}" if path else name)


LEAVES = dict(leaves(structural_schema(Spec)))


def candidates(path: str, schema: Schema) -> list[Any]:
    name = path.rpartition(".")[2]
    if name in EXAMPLES:
        return EXAMPLES[name]
    if "enum" in schema:
        return list(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return ["1Gi", "2Gi"]
    if schema["type"] == "boolean":
        return [True, False]
    if schema["type"] in ("integer", "number"):
        low, default = schema["minimum"], schema.get("default", 0)
        return [default, default + 1, low, low + 1]
    if str(schema.get("pattern", "")).startswith("^https"):
        return ["http://one", "http://two"]
    return ["one", "two"]


def surroundings(path: str) -> Json:
    fitting = [prefix for prefix in SURROUNDINGS if f"{path}.".startswith(f"{prefix}.")]
    return SURROUNDINGS[max(fitting, key=len)] if fitting else {}


def nested(path: str, value: Any) -> Json:
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


@pytest.fixture(autouse=True)
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which values go together is another matter; here one field changes and nothing else."""
    for model in models(Spec):
        monkeypatch.setattr(model, "rules", ())


def built(path: str, value: Any) -> str:
    spec = merged(surroundings(path), nested(path, value))
    return json.dumps(children(spec).manifests, sort_keys=True)


def test_the_spec_has_leaves() -> None:
    assert len(LEAVES) > 50
    assert {"api.drainSeconds", "cache.managed.storage.className", "llm.maxTokens"} <= set(LEAVES)


@pytest.mark.parametrize("path", LEAVES)
def test_changing_a_field_changes_what_is_built(path: str) -> None:
    results = {built(path, value) for value in candidates(path, LEAVES[path])}
    assert len(results) > 1, f"spec.{path} has no effect"
