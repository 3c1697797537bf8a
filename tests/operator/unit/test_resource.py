"""Reading a RagDeployment."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from ragdeploy_operator.api import RagDeployment, SecretUse
from ragdeploy_operator.errors import Invalid, NotOwned, Retry, Transient, Waiting
from tests.operator.unit.resources import Json, parsed, stored

SECRET = "sk-0123456789abcdef"


def test_an_empty_spec_is_a_whole_application() -> None:
    spec = parsed().spec
    assert spec.llm is None
    assert spec.api.autoscaling.enabled
    assert spec.cache.own is not None
    assert spec.vector_store.own is not None
    assert spec.vector_store.own.storage.size == "10Gi"


def test_a_resource_without_a_spec_is_one_with_an_empty_spec() -> None:
    obj = stored()
    del obj["spec"]
    assert RagDeployment.parse(obj) == parsed()


def test_fields_of_a_newer_version_are_ignored() -> None:
    assert parsed({"retrieval": {"topK": 5, "mode": "hybrid"}}).spec.retrieval.top_k == 5


def test_quantities_are_read_in_canonical_form() -> None:
    spec = parsed({"api": {"resources": {"requests": {"cpu": 1, "memory": "1024Mi"}}}}).spec
    assert spec.api.resources.requests == {"cpu": "1", "memory": "1Gi"}


def test_external_stores_leave_nothing_to_run() -> None:
    spec = parsed(
        {
            "cache": {"external": {"urlSecretRef": {"name": "redis", "key": "url"}}},
            "vectorStore": {"external": {"uri": "http://milvus:19530"}},
        }
    ).spec
    assert spec.cache.own is None
    assert spec.vector_store.own is None


def test_every_secret_is_listed_with_the_path_that_names_it() -> None:
    spec = parsed(
        {
            "llm": {"apiKeySecretRef": {"name": "openai", "key": "llm"}},
            "embedding": {
                "provider": "openai",
                "model": "text-embedding-3-small",
                "apiKeySecretRef": {"name": "openai", "key": "embed"},
            },
            "cache": {"external": {"urlSecretRef": {"name": "redis", "key": "url"}}},
            "vectorStore": {
                "external": {
                    "uri": "http://milvus:19530",
                    "tokenSecretRef": {"name": "milvus", "key": "token"},
                }
            },
            "auth": {"apiKeysSecretRef": {"name": "keys"}},
        }
    ).spec
    assert list(spec.secret_uses()) == [
        SecretUse(path="spec.llm.apiKeySecretRef", name="openai", key="llm"),
        SecretUse(path="spec.embedding.apiKeySecretRef", name="openai", key="embed"),
        SecretUse(path="spec.cache.external.urlSecretRef", name="redis", key="url"),
        SecretUse(path="spec.vectorStore.external.tokenSecretRef", name="milvus", key="token"),
        SecretUse(path="spec.auth.apiKeysSecretRef", name="keys", key=None),
    ]


def test_a_secret_is_named_for_people() -> None:
    use = SecretUse(path="spec.llm.apiKeySecretRef", name="openai", key="api-key")
    assert str(use) == "spec.llm.apiKeySecretRef: key 'api-key' of Secret 'openai'"


def test_keys_of_callers_are_not_needed_when_nobody_is_asked_for_one() -> None:
    spec = parsed({"auth": {"enabled": False, "apiKeysSecretRef": {"name": "keys"}}}).spec
    assert list(spec.secret_uses()) == []


def test_an_autoscaled_application_starts_within_its_bounds() -> None:
    def first(replicas: int, **autoscaling: Any) -> int:
        api = {"replicas": replicas, "autoscaling": autoscaling}
        return parsed({"api": api}).spec.api.first_replicas

    assert first(4, minReplicas=2, maxReplicas=10) == 4
    assert first(1, minReplicas=3, maxReplicas=10) == 3
    assert first(20, minReplicas=2, maxReplicas=5) == 5
    assert first(20, enabled=False, maxReplicas=5) == 20


def test_all_fields_at_fault_are_named() -> None:
    with pytest.raises(Invalid) as caught:
        parsed({"api": {"replicas": "many"}, "retrieval": {"topK": 0}})
    assert [field.path for field in caught.value.fields] == [
        "spec.api.replicas",
        "spec.retrieval.topK",
    ]
    assert caught.value.message == (
        "spec.api.replicas: Input should be a valid integer, unable to parse string as an integer; "
        "spec.retrieval.topK: Input should be greater than or equal to 1"
    )


MISPLACED: list[Json] = [
    {"llm": {"apiKeySecretRef": SECRET}},
    {"llm": {"apiKeySecretRef": {"name": SECRET + "!", "key": SECRET + "/"}}},
    {"llm": {"baseURL": SECRET}},
    {"llm": {"promptTemplate": SECRET, "baseURL": "http://llm"}},
    {"llm": SECRET},
    {"embedding": {"provider": SECRET}},
    {"embedding": {"model": SECRET}},
    {"api": {"replicas": SECRET}},
    {"cache": {"enabled": SECRET}},
    {"cache": {"managed": {"maxMemory": SECRET}}},
    {"auth": {"apiKeysSecretRef": [SECRET]}},
    {"persistentVolumeClaimPolicy": SECRET},
]


@pytest.mark.parametrize("spec", MISPLACED, ids=lambda spec: next(iter(spec)))
def test_a_secret_in_the_wrong_place_is_not_repeated_in_the_error(spec: Json) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(spec)
    assert caught.value.message
    # not even in the traceback that a log would show
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_each_error_says_when_to_try_again() -> None:
    assert Transient("API server: 503", retry_after=2).retry is Retry.BACKOFF
    assert Waiting("Secret openai is missing", reason="SecretMissing").retry is Retry.ON_WATCH_EVENT
    assert Invalid("spec.api.replicas: ...").retry is Retry.ON_NEW_GENERATION
    assert NotOwned("Service docs-api belongs to Helm").retry is Retry.SLOWLY
