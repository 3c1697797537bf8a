"""Where pods run and what they carry, as the resource says."""

from __future__ import annotations

import pytest

from ragdeploy_service.settings import ServiceSettings, variable
from tests.operator.unit.resources import Json, children, parsed
from tests.operator.unit.rule_cases import PLACED, at

WORKLOADS = {
    "api": "docs-api",
    "indexer": "docs-indexer",
    "cache.managed": "docs-cache",
    "vectorStore.managed": "docs-vector-store",
}


@pytest.mark.parametrize("part", PLACED)
def test_a_part_is_placed_as_the_resource_says_and_the_others_are_not(part: str) -> None:
    wanted: Json = {
        "nodeSelector": {"disk": "ssd"},
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClassName": "high",
    }
    built = children(at(part, **wanted))
    for name in built.pod_templates:
        placed = {key: built.pod(name).get(key) for key in wanted}
        assert placed == (wanted if name == WORKLOADS[part] else dict.fromkeys(wanted))


@pytest.mark.parametrize("part", PLACED)
def test_annotations_of_pods_leave_the_operators_own_alone(part: str) -> None:
    built = children(at(part, podAnnotations={"team": "search"}))
    plain = children().pod_templates[WORKLOADS[part]]["metadata"]["annotations"]
    annotations = built.pod_templates[WORKLOADS[part]]["metadata"]["annotations"]
    assert annotations == {**plain, "team": "search"}


def test_variables_of_users_come_after_ours() -> None:
    given = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "token"}}}
    spec = at("api", extraEnv=[{"name": "HTTPS_PROXY", "value": "http://proxy"}, given])
    assert children(spec).container("docs-api")["env"][-2:] == [
        {"name": "HTTPS_PROXY", "value": "http://proxy"},
        given,
    ]
    (use,) = parsed(spec).spec.secret_uses()
    assert (use.path, use.name, use.key) == (
        "spec.api.extraEnv[1].valueFrom.secretKeyRef",
        "mine",
        "token",
    )


def test_a_secret_of_a_users_variable_rolls_the_pods_when_it_changes() -> None:
    given = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "token"}}}
    spec = at("api", extraEnv=[given])
    (use,) = parsed(spec).spec.secret_uses()
    one, two = (children(spec, secret_checksums={use: value}) for value in ("1", "2"))
    rolled = {n for n, t in one.pod_templates.items() if t != two.pod_templates[n]}
    assert rolled == {"docs-api"}


@pytest.mark.parametrize("setting", ServiceSettings.model_fields)
def test_a_variable_that_the_operator_writes_cannot_be_overridden(setting: str) -> None:
    spec = at("api", extraEnv=[{"name": variable(setting), "value": "1"}])
    llm = {
        "apiKeySecretRef": {"name": "openai", "key": "api-key"},
        "promptTemplate": "{context}{question}",
    }
    everything = {
        "llm": {**llm, "baseURL": "http://llm"},
        "embedding": {
            "provider": "openai",
            "baseURL": "http://tei",
            "apiKeySecretRef": llm["apiKeySecretRef"],
        },
    }
    built = children(everything)
    written = set(built["ConfigMap", "docs-config"]["data"]) | {
        entry["name"] for entry in built.container("docs-api")["env"]
    }
    if variable(setting) in written:
        with pytest.raises(Exception, match="must not override what the operator writes"):
            parsed(spec)


def test_a_budget_counts_pods_that_may_be_missing() -> None:
    def budget(**values: object) -> Json:
        spec = at("api", podDisruptionBudget=values)
        return dict(children(spec)["PodDisruptionBudget", "docs-api"]["spec"])

    assert budget(maxUnavailable="25%")["maxUnavailable"] == "25%"
    assert budget(maxUnavailable=3)["maxUnavailable"] == 3
    off = children(at("api", podDisruptionBudget={"enabled": False}))
    assert ("PodDisruptionBudget", "docs-api") not in off


def test_spreading_can_be_changed_and_switched_off() -> None:
    rack = {"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}
    (spread,) = children(at("api", topologySpread=[rack])).pod("docs-api")[
        "topologySpreadConstraints"
    ]
    assert spread.items() >= rack.items()
    assert "topologySpreadConstraints" not in children(at("api", topologySpread=[])).pod("docs-api")
