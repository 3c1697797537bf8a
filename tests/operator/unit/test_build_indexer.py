"""The indexer: the same image in another role, and rolled for what it reads alone."""

from __future__ import annotations

import pytest

from ragdeploy_operator.api import SecretUse
from tests.operator.unit.resources import Json, children, merged, rolls

LLM = {"llm": {"apiKeySecretRef": {"name": "openai", "key": "api-key"}}}
USE = SecretUse(path="spec.llm.apiKeySecretRef", name="openai", key="api-key")


def variables(workload: str, spec: Json | None = None) -> dict[str, Json]:
    return {entry["name"]: entry for entry in children(spec).container(workload)["env"]}


def test_each_part_has_its_role() -> None:
    assert variables("docs-api")["RAG_ROLE"]["value"] == "api"
    assert variables("docs-indexer")["RAG_ROLE"]["value"] == "indexer"


def test_an_indexer_knows_no_keys_of_callers_and_none_of_the_language_model() -> None:
    pod = children(LLM).pod("docs-indexer")
    assert [volume["name"] for volume in pod["volumes"]] == ["data", "tmp"]
    assert "RAG_LLM_API_KEY" in variables("docs-api", LLM)
    assert "RAG_LLM_API_KEY" not in variables("docs-indexer", LLM)


def test_an_indexer_may_finish_its_job_before_it_is_killed() -> None:
    spec = {"indexer": {"drainSeconds": 300}}
    pod = children(spec).pod("docs-indexer")
    assert pod["terminationGracePeriodSeconds"] > 300
    assert variables("docs-indexer", spec)["RAG_DRAIN_SECONDS"]["value"] == "300"
    assert children(spec).pod("docs-api")["terminationGracePeriodSeconds"] < 60


def test_a_new_indexer_is_there_before_an_old_one_goes() -> None:
    strategy = children()["Deployment", "docs-indexer"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"batching": {"maxBatchSize": 7}}, ["docs-api"]),
        ({"cache": {"ttlSeconds": 60}}, []),
        ({"llm": {"temperature": 0.5}}, ["docs-api"]),
        ({"auth": {"enabled": False}}, ["docs-api"]),
        ({"api": {"extraEnv": [{"name": "A", "value": "1"}]}}, ["docs-api"]),
        ({"retrieval": {"chunking": {"size": 100}}}, ["docs-api", "docs-indexer"]),
        ({"image": {"tag": "2.0"}}, ["docs-api", "docs-indexer"]),
        ({"cache": {"enabled": False}}, ["docs-api", "docs-indexer"]),
        ({"indexer": {"drainSeconds": 60}}, ["docs-indexer"]),
        ({"indexer": {"resources": {"requests": {"cpu": 2}}}}, ["docs-indexer"]),
        ({"indexer": {"extraEnv": [{"name": "A", "value": "1"}]}}, ["docs-indexer"]),
        ({"indexer": {"replicas": 3}}, []),
    ],
    ids=str,
)
def test_an_edit_rolls_exactly_the_pods_that_read_it(change: Json, expected: list[str]) -> None:
    assert sorted(rolls(LLM, merged(LLM, change))) == expected


def test_another_key_of_the_language_model_rolls_the_api_alone() -> None:
    one, two = (children(LLM, secret_checksums={USE: key}).pod_templates for key in "12")
    assert {name for name in one if one[name] != two[name]} == {"docs-api"}


def test_a_budget_is_made_where_there_may_be_more_than_one_pod() -> None:
    def has_budget(**indexer: object) -> bool:
        return ("PodDisruptionBudget", "docs-indexer") in children({"indexer": indexer})

    assert not has_budget()
    assert has_budget(replicas=2)
    assert has_budget(autoscaling={"enabled": True})
    assert not has_budget(replicas=2, podDisruptionBudget={"enabled": False})


def test_a_suspended_resource_has_no_autoscaler_and_its_stores_sleep_when_told() -> None:
    spec = {"suspend": True, "indexer": {"autoscaling": {"enabled": True}}}
    awake, asleep = children(spec), children(spec, stores_asleep=True)
    kinds = {kind for kind, _ in awake.by_ref}
    assert "HorizontalPodAutoscaler" not in kinds
    for name in ("docs-cache", "docs-vector-store"):
        assert awake["StatefulSet", name]["spec"]["replicas"] == 1
        assert asleep["StatefulSet", name]["spec"]["replicas"] == 0
        policy = asleep["StatefulSet", name]["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert policy["whenScaled"] == "Retain"


def test_an_indexer_is_scaled_by_its_own_cpu_if_that_is_wanted() -> None:
    assert ("HorizontalPodAutoscaler", "docs-indexer") not in children()
    built = children({"indexer": {"autoscaling": {"enabled": True}}})
    spec = built["HorizontalPodAutoscaler", "docs-indexer"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 4)
    assert spec["scaleTargetRef"]["name"] == "docs-indexer"
    (metric,) = spec["metrics"]
    container = built.container("docs-indexer")["name"]
    assert metric["containerResource"]["container"] == container
