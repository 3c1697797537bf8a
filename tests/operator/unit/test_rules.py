"""Each rule of the resource, by the API server's CEL and by our own reading of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ragdeploy_operator.api.structural import structural_schema
from ragdeploy_operator.api.v1alpha1 import RagDeployment
from ragdeploy_operator.errors import Invalid
from tests.controlplane import ApiError
from tests.operator.unit.apiserver import ApiServer, Json
from tests.operator.unit.resources import manifest, parsed
from tests.operator.unit.rule_cases import CASES, EXTERNAL_STORE, Case, storage


def all_rules(part: Json, path: str) -> Iterator[tuple[str, str]]:
    for rule in part.get("x-kubernetes-validations", []):
        yield path, rule["message"]
    for name, value in part.get("properties", {}).items():
        below = f"{path}.{name}".removeprefix(".")
        yield from all_rules(value, below)
        yield from all_rules(value.get("items", {}), below)


def without_indices(message: str) -> str:
    """Write ``allowedFrom[0].podSelector`` and ``allowedFrom.0.podSelector`` without the 0."""
    return re.sub(r"\[\d+\]|\.\d+(?=[.:])", "", message)


def test_every_rule_has_a_case() -> None:
    rules = list(all_rules(structural_schema(RagDeployment), ""))
    assert len(rules) > 20
    untested = [
        (path, message)
        for path, message in rules
        if not any(case.path == path and case.words in message for case in CASES)
    ]
    assert untested == []


@pytest.mark.behaviour(3)
@pytest.mark.behaviour(4)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_api_server_refuses_and_says_why(
    case: Case, apiserver: ApiServer, namespace: str
) -> None:
    if case.before:
        apiserver.apply(manifest(case.before), namespace=namespace)
    refused = manifest(case.refused, name=case.name_refused)
    with pytest.raises(ApiError) as caught:
        apiserver.try_apply(refused, namespace=namespace)
    assert caught.value.code == 422
    assert case.words in caught.value.message
    assert case.path in without_indices(caught.value.message)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_api_server_accepts_what_nearly_breaks_it(
    case: Case, apiserver: ApiServer, namespace: str
) -> None:
    if case.before:
        apiserver.apply(manifest(case.before), namespace=namespace)
    apiserver.try_apply(manifest(case.accepted), namespace=namespace)
    assert apiserver.warnings == []


@pytest.mark.parametrize("case", [c for c in CASES if not c.is_about_a_change], ids=str)
def test_a_resource_stored_before_the_rule_is_refused_in_the_same_words(case: Case) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(case.refused, name=case.name_refused)
    assert case.words in caught.value.message
    assert case.path in without_indices(caught.value.message)
    parsed(case.accepted)


def test_a_name_of_63_characters_is_accepted(apiserver: ApiServer, namespace: str) -> None:
    apiserver.try_apply(manifest(name="d" * 63), namespace=namespace)


def test_an_external_store_may_become_managed_with_any_volume(
    apiserver: ApiServer, namespace: str
) -> None:
    apiserver.apply(manifest({"vectorStore": EXTERNAL_STORE}), namespace=namespace)
    managed = {"vectorStore": storage(size="1Gi", className="fast")}
    apiserver.try_apply(manifest(managed), namespace=namespace)


def test_replicas_may_go_back_to_the_default_while_autoscaling_is_on(
    apiserver: ApiServer, namespace: str
) -> None:
    """Whoever removes the field from a manifest asks for nothing but the default."""
    apiserver.apply(manifest({"api": {"replicas": 4}}), namespace=namespace)
    apiserver.try_apply(manifest({}), namespace=namespace)


@pytest.mark.parametrize("digest", ["sha256:abc", "md5:" + "a" * 64, "a" * 64])
def test_what_is_no_digest_is_refused(digest: str, apiserver: ApiServer, namespace: str) -> None:
    with pytest.raises(ApiError, match=r"spec\.image\.digest"):
        apiserver.try_apply(manifest({"image": {"digest": digest}}), namespace=namespace)
