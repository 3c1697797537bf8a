"""The CustomResourceDefinition as users meet it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragdeploy_operator.api.crd import FILE, definition, render
from tests.controlplane import ApiError
from tests.controlplane.kinds import RAG_DEPLOYMENT
from tests.operator.unit.apiserver import ApiServer, Json
from tests.operator.unit.resources import manifest
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}

MESSAGE = "Secret 'openai' is missing: create it"
STATUS: Json = {
    "observedGeneration": 1,
    "replicas": 2,
    "selector": "ragdeploy.io/name=docs",
    "endpoint": "http://docs-api.shop.svc:8000",
    "documents": 12,
    "indexGeneration": "3fa9c2d1",
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "SecretMissing",
            "message": MESSAGE,
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
    "components": [{"kind": "Deployment", "name": "docs-api", "ready": 1, "desired": 2}],
}


def schema() -> Json:
    (version,) = definition()["spec"]["versions"]
    found: Json = version["schema"]["openAPIV3Schema"]
    return found


def fields(part: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    for name, field in part.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
        yield from fields(field.get("items", {}), f"{path}.{name}[]")


@pytest.fixture
def docs(apiserver: ApiServer, namespace: str) -> Json:
    """A stored resource with a status."""
    found = apiserver.apply(manifest(), namespace=namespace)
    apiserver.cluster.api.patch(
        RAG_DEPLOYMENT, "docs", {"status": STATUS}, namespace=namespace, subresource="status"
    )
    return found


def test_the_file_is_what_the_models_say() -> None:
    assert (ROOT / FILE).read_text() == render(), "run `make generate`"


def test_it_is_far_smaller_than_what_kubectl_apply_can_take() -> None:
    assert len(render()) < 262_144 / 2


def test_every_field_is_described() -> None:
    described = dict(fields(schema()))
    assert len(described) > 80
    assert [path for path, field in described.items() if not field.get("description")] == [
        ".metadata"  # the API server has words of its own for it
    ]


def test_the_api_server_takes_it_without_a_warning(apiserver: ApiServer) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    copy = definition()
    copy["metadata"]["name"] = "copies.copy.ragdeploy.io"
    copy["spec"] |= {"group": "copy.ragdeploy.io"}
    copy["spec"]["names"] |= {"plural": "copies", "singular": "copy", "shortNames": []}
    apiserver.request(
        "POST",
        path,
        query={"dryRun": "All", "fieldValidation": "Strict"},
        body=copy,
        headers={"Content-Type": "application/json"},
    )
    assert apiserver.warnings == []


def test_kubectl_explain_has_words_for_a_field(apiserver: ApiServer) -> None:
    def published() -> Json | None:
        try:
            return apiserver.request("GET", "/openapi/v3/apis/ragdeploy.io/v1alpha1")
        except ApiError:
            return None

    found = eventually(published, what="the schema is published")
    kind = found["components"]["schemas"]["io.ragdeploy.v1alpha1.RagDeployment"]
    drain = kind["properties"]["spec"]["properties"]["api"]["properties"]["drainSeconds"]
    assert drain["description"].startswith("Time that running requests get when a pod stops")
    assert drain["default"] == 20


def test_defaults_are_filled_in_by_the_api_server(docs: Json) -> None:
    spec = docs["spec"]
    assert spec["api"]["replicas"] == 2
    assert spec["api"]["autoscaling"]["maxReplicas"] == 10
    assert spec["api"]["resources"]["requests"]["cpu"] == "100m"
    assert spec["embedding"]["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert spec["retrieval"]["chunking"] == {"size": 192, "overlap": 24}
    assert spec["persistentVolumeClaimPolicy"] == "Retain"
    assert "llm" not in spec
    assert "managed" not in spec["cache"], "whoever adds external would have to remove it"


def test_a_part_that_is_given_in_part_gets_its_other_defaults(
    apiserver: ApiServer, namespace: str
) -> None:
    spec = {"vectorStore": {"managed": {"storage": {"className": "fast"}}}, "api": {"replicas": 3}}
    found = apiserver.try_apply(manifest(spec), namespace=namespace)["spec"]
    assert found["vectorStore"]["managed"]["storage"] == {"className": "fast", "size": "10Gi"}
    assert found["api"]["autoscaling"]["minReplicas"] == 2


def test_a_misspelt_field_is_refused_as_kubectl_asks_for_it(
    apiserver: ApiServer, namespace: str
) -> None:
    misspelt = manifest({"api": {"replica": 3}})
    with pytest.raises(ApiError, match=r'unknown field "spec\.api\.replica"|field not declared'):
        apiserver.try_apply(misspelt, namespace=namespace)
    with pytest.raises(ApiError, match=r'unknown field "spec\.api\.replica"'):
        apiserver.try_create(misspelt, namespace=namespace)


def test_kubectl_get_shows_what_is_going_on(
    apiserver: ApiServer, namespace: str, docs: Json
) -> None:
    table = apiserver.request("GET", apiserver.rag_path(namespace), headers=TABLE)
    (row,) = table["rows"]
    columns = [column["name"] for column in table["columnDefinitions"]]
    wide = [c["name"] for c in table["columnDefinitions"] if c["priority"]]
    cells = dict(zip(columns, row["cells"], strict=True))
    assert columns == [
        "Name", "Ready", "Replicas", "Documents", "Endpoint", "Age",
        "Model", "Embedding", "Message",
    ]  # fmt: skip
    assert wide == ["Model", "Embedding", "Message"]
    assert cells["Ready"] == "False"
    assert cells["Replicas"] == 2
    assert cells["Documents"] == STATUS["documents"]
    assert cells["Endpoint"] == "http://docs-api.shop.svc:8000"
    assert cells["Message"] == MESSAGE


def test_a_status_is_kept_as_it_was_written(
    apiserver: ApiServer, namespace: str, docs: Json
) -> None:
    """A field that the schema does not know would vanish without a word (nolar/kopf#527)."""
    found = apiserver.request("GET", apiserver.rag_path(namespace, "docs"))
    assert found["status"] == STATUS


def test_conditions_are_merged_by_type(apiserver: ApiServer, namespace: str, docs: Json) -> None:
    other = {**STATUS["conditions"][0], "type": "ApiReady"}
    body = manifest(namespace=namespace) | {"status": {"conditions": [other]}}
    apiserver.request(
        "PATCH",
        apiserver.rag_path(namespace, "docs") + "/status",
        query={"fieldManager": "somebody-else"},
        body=body,
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    found = apiserver.request("GET", apiserver.rag_path(namespace, "docs"))
    assert [c["type"] for c in found["status"]["conditions"]] == ["Ready", "ApiReady"]


def scale(apiserver: ApiServer, namespace: str, replicas: int) -> Any:
    return apiserver.request(
        "PATCH",
        apiserver.rag_path(namespace, "docs") + "/scale",
        body={"spec": {"replicas": replicas}},
        headers={"Content-Type": "application/merge-patch+json"},
    )


def test_kubectl_scale_sets_the_replicas_while_autoscaling_is_off(
    apiserver: ApiServer, namespace: str, docs: Json
) -> None:
    apiserver.apply(manifest({"api": {"autoscaling": {"enabled": False}}}), namespace=namespace)
    answer = scale(apiserver, namespace, 5)
    assert answer["spec"]["replicas"] == 5
    assert answer["status"] == {"replicas": 2, "selector": "ragdeploy.io/name=docs"}
    found = apiserver.request("GET", apiserver.rag_path(namespace, "docs"))
    assert found["spec"]["api"]["replicas"] == 5


def test_kubectl_scale_says_why_it_cannot_while_autoscaling_is_on(
    apiserver: ApiServer, namespace: str, docs: Json
) -> None:
    with pytest.raises(ApiError, match="autoscaling decides the number of pods: change"):
        scale(apiserver, namespace, 5)
