"""The managed Milvus as a cluster: what the Milvus Operator is asked for."""

from __future__ import annotations

from urllib.parse import urlsplit

from ragdeploy_operator.build import names
from tests.operator.unit.resources import Json, children


def cluster(**values: object) -> Json:
    return {"vectorStore": {"managed": {"mode": "cluster", **values}}}


def milvus(spec: Json) -> Json:
    found: Json = children(spec)["Milvus", "docs"]
    return found


def test_a_cluster_is_a_milvus_and_nothing_of_ours() -> None:
    built = children(cluster())
    assert milvus(cluster())["apiVersion"] == "milvus.io/v1beta1"
    assert milvus(cluster())["spec"]["mode"] == "cluster"
    assert built.kinds("docs-vector-store") == set()


def test_the_service_calls_the_service_that_the_milvus_operator_makes() -> None:
    uri = children(cluster())["ConfigMap", "docs-config"]["data"]["RAG_MILVUS_URI"]
    assert (urlsplit(uri).hostname, urlsplit(uri).port) == ("docs-milvus.shop.svc", 19530)


def test_a_long_name_leaves_room_for_what_is_named_after_it() -> None:
    one, other = names.milvus("a" * 60 + "1"), names.milvus("a" * 60 + "2")
    assert one != other
    assert len(f"{one}-woodpecker") <= 53  # the longest that Helm takes for a release


def test_without_the_milvus_operator_nothing_is_asked_for() -> None:
    assert "Milvus" not in {kind for kind, _ in children(cluster(), kinds=frozenset()).by_ref}


def test_what_the_resource_says_of_pods_holds_for_every_component() -> None:
    spec = cluster(
        image={"repository": "registry.example.com/milvus", "tag": "v2.6.4"},
        resources={"requests": {"cpu": "1"}},
        nodeSelector={"disk": "ssd"},
        tolerations=[{"key": "big", "operator": "Exists"}],
        priorityClassName="high",
        podAnnotations={"team": "search"},
    )
    secrets = {"image": {"pullSecrets": [{"name": "registry"}]}}
    components = milvus({**spec, **secrets})["spec"]["components"]
    assert components == {
        "image": "registry.example.com/milvus:v2.6.4",
        "imagePullPolicy": "IfNotPresent",
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"requests": {"cpu": "1"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "big", "operator": "Exists"}],
        "priorityClassName": "high",
        "podAnnotations": {"team": "search"},
    }


def test_what_is_given_for_the_milvus_operator_wins() -> None:
    given = {
        "components": {"queryNode": {"replicas": 3}, "resources": {"requests": {"cpu": "2"}}},
        "dependencies": {"msgStreamType": "kafka"},
        "config": {"common": {"security": {"authorizationEnabled": True}}},
    }
    spec = milvus(cluster(cluster=given, resources={"requests": {"memory": "1Gi"}}))["spec"]
    assert spec["components"]["queryNode"] == {"replicas": 3}
    assert spec["components"]["resources"]["requests"] == {"cpu": "2", "memory": "1Gi"}
    assert spec["dependencies"] == given["dependencies"]
    assert spec["config"] == given["config"]


def test_volumes_that_are_to_go_with_the_resource_go() -> None:
    s3 = {"storage": {"external": True, "type": "S3", "endpoint": "s3.example.com"}}
    spec = cluster(cluster={"dependencies": s3}) | {"persistentVolumeClaimPolicy": "Delete"}
    goes = {"inCluster": {"deletionPolicy": "Delete", "pvcDeletion": True}}
    assert milvus(spec)["spec"]["dependencies"] == {"etcd": goes, "pulsar": goes, **s3}
    assert "dependencies" not in milvus(cluster())["spec"]


def test_callers_are_let_through_to_the_cluster() -> None:
    built = children(cluster())
    [egress] = [
        policy
        for (kind, name), policy in built.by_ref.items()
        if kind == "NetworkPolicy" and "egress" in name
    ]
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
    assert {"to": [{"namespaceSelector": namespace}]} in egress["spec"]["egress"]
