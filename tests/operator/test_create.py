"""What a new RagDeployment leads to."""

from base64 import b64decode

import pytest

from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    NETWORK_POLICY,
    SECRET,
    SERVICE,
    SERVICE_MONITOR,
    STATEFUL_SET,
)
from tests.operator.bundle import ALL_CHILDREN, Bundle, writes_of_operator
from tests.operator.definitions import SERVICE_MONITORS
from tests.support.operator import USER
from tests.support.waiting import eventually

OPENAI = {"apiKeySecretRef": {"name": "openai", "key": "api-key"}}


@pytest.mark.behaviour(1)
def test_a_minimal_resource_yields_all_children_controlled_by_it(bundle):
    docs = bundle().wait_children()
    uid = docs.get()["metadata"]["uid"]
    assert docs.children().keys() == ALL_CHILDREN
    for child in docs.children().values():
        [owner] = child["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("RagDeployment", uid, True)
        labels = child["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "ragdeploy"
        assert labels["app.kubernetes.io/part-of"] == "ragdeploy"
        assert labels["app.kubernetes.io/managed-by"] == "ragdeploy-operator"
        assert labels["app.kubernetes.io/component"] in ("api", "indexer", "cache", "vector-store")


@pytest.mark.behaviour(2)
def test_the_first_status_comes_before_the_first_child(cluster, bundle, namespace):
    before = cluster.audit.mark()
    docs = bundle().wait_children()
    writes = writes_of_operator(cluster.audit.since(before), namespace)
    assert writes[0].path == "ragdeployments/status"
    first = {c["type"]: c for c in writes[0].body["status"]["conditions"]}
    assert first["Ready"]["status"] == "False"
    assert first["Reconciling"]["status"] == "True"
    assert docs.get()["status"]["endpoint"] == f"http://docs-api.{namespace}.svc:8000"


def test_a_resource_is_made_in_one_write_per_child_and_at_most_three_of_status(
    cluster, operator, bundle, namespace
):
    operator.wait_idle()
    before = cluster.audit.mark()
    bundle().wait_children()
    operator.wait_idle()
    entries = cluster.audit.since(before)
    writes = writes_of_operator(entries, namespace)
    assert len(writes.without("ragdeployments")) == len(ALL_CHILDREN)
    assert len(writes.of("ragdeployments")) <= 3
    assert all(entry.code in (200, 201) for entry in writes)
    assert entries.reads(user=USER).within(namespace) == ()


@pytest.mark.behaviour(5)
def test_the_same_name_in_two_namespaces_is_two_bundles(cluster, bundle):
    elsewhere = cluster.create_namespace()
    try:
        here, there = bundle(), Bundle(cluster, elsewhere).apply(retrieval={"topK": 7})
        here.wait_children()
        there.wait_children()
        assert here.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] == "3"
        assert there.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] == "7"
        there.delete()
        there.wait_gone(DEPLOYMENT, "api")
        assert here.children().keys() == ALL_CHILDREN
    finally:
        cluster.delete_namespace(elsewhere)


@pytest.mark.behaviour(5)
def test_a_name_of_63_characters_works(cluster, bundle, namespace):
    long = bundle(name="a" * 63)
    long.wait_condition("ScalingReady", "Unknown")
    cluster.kubelet.run(namespace)
    long.wait_condition("Ready", "True")
    assert len(long.get()["status"]["components"]) == 4


@pytest.mark.behaviour(6)
def test_a_missing_secret_is_waited_for_and_noticed_without_polling(
    cluster, operator, bundle, namespace
):
    docs = bundle(llm=OPENAI)
    waiting = docs.wait_condition("SecretsResolved", "False", reason="SecretMissing")
    assert "spec.llm.apiKeySecretRef" in waiting["message"]
    assert f"kubectl create secret generic openai -n {namespace}" in waiting["message"]
    docs.wait_child(STATEFUL_SET, "vector-store")  # what does not need it is made already
    operator.wait_idle()
    assert docs.find(DEPLOYMENT, "api") is None
    assert docs.condition("ScalingReady")["message"] == "Deployment docs-api is not there yet."
    before = cluster.audit.mark()
    operator.wait_idle()
    assert cluster.audit.since(before).by(USER).within(namespace) == ()

    make_secret(cluster, namespace, "openai", token="x")
    eventually(
        lambda: "has no key 'api-key'" in docs.condition("SecretsResolved")["message"],
        what="the message to say that the key is missing",
    )
    make_secret(cluster, namespace, "openai", **{"api-key": "sk-1"})
    docs.wait_condition("SecretsResolved", "True")
    docs.wait_child(DEPLOYMENT, "api")


def test_a_secret_that_goes_missing_later_stops_nothing_that_runs(
    cluster, operator, bundle, namespace
):
    make_secret(cluster, namespace, "openai", **{"api-key": "sk-1"})
    docs = bundle(llm=OPENAI).wait_children().run()
    template = docs.child(DEPLOYMENT, "api")["spec"]["template"]
    cluster.api.delete(SECRET, "openai", namespace=namespace)
    docs.wait_condition("SecretsResolved", "False")
    docs.wait_condition("Ready", "True")
    operator.wait_idle()
    assert docs.child(DEPLOYMENT, "api")["spec"]["template"] == template


@pytest.mark.behaviour(7)
def test_service_monitors_are_made_once_their_kind_is_installed(cluster, operator, bundle):
    docs = bundle().wait_children()
    picky = bundle(name="picky", monitoring={"serviceMonitor": {"enabled": True}})
    picky.wait_condition("MonitoringReady", "False", reason="KindMissing")
    assert docs.condition("MonitoringReady") is None  # off by itself, and nobody asked for it
    cluster.api.define(SERVICE_MONITORS)
    try:
        for one in (docs, picky):
            one.wait_child(SERVICE_MONITOR, "api")
            one.wait_condition("MonitoringReady", "True")
    finally:
        cluster.api.undefine(SERVICE_MONITORS)
    picky.wait_condition("MonitoringReady", "False", reason="KindMissing")


@pytest.mark.behaviour(8)
def test_an_object_that_is_not_ours_is_left_alone(cluster, operator, bundle, namespace):
    theirs = cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "docs-api"},
            "spec": {"selector": {"app": "something-else"}, "ports": [{"port": 80}]},
        },
        namespace=namespace,
    )
    docs = bundle()
    stalled = docs.wait_condition("Stalled", "True", reason="NotOwned")
    assert "Service docs-api" in stalled["message"]
    assert docs.condition("Ready")["reason"] == "NotOwned"
    operator.wait_idle()
    assert docs.child(SERVICE, "api") == theirs
    assert docs.find(DEPLOYMENT, "api") is None  # it would be called by the wrong name
    assert docs.condition("ApiReady")["reason"] == "HeldBack"


def test_an_object_controlled_by_somebody_else_is_left_alone_though_it_has_our_labels(
    cluster, operator, bundle, namespace
):
    owner = cluster.api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}},
        namespace=namespace,
    )
    theirs = cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "docs-config",
                "labels": {
                    "app.kubernetes.io/managed-by": "ragdeploy-operator",
                    "ragdeploy.io/name": "docs",
                },
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "kind": "ConfigMap",
                        "name": "owner",
                        "uid": owner["metadata"]["uid"],
                        "controller": True,
                    }
                ],
            },
        },
        namespace=namespace,
    )
    docs = bundle()
    stalled = docs.wait_condition("Stalled", "True", reason="NotOwned")
    assert "ConfigMap docs-config belongs to ConfigMap owner" in stalled["message"]
    operator.wait_idle()
    assert docs.child(CONFIG_MAP, "config") == theirs


def test_the_generated_key_is_random_and_survives(operator, bundle):
    docs, other = bundle().wait_children(), bundle(name="other").wait_children()
    key = b64decode(docs.child(SECRET, "api-key")["data"]["api-key"]).decode()
    assert len(key) >= 32
    assert other.child(SECRET, "api-key")["data"] != docs.child(SECRET, "api-key")["data"]
    docs.apply(retrieval={"topK": 5})
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "5")
    operator.wait_idle()
    assert b64decode(docs.child(SECRET, "api-key")["data"]["api-key"]).decode() == key


def test_a_part_that_is_external_has_no_children(bundle):
    docs = bundle(
        vectorStore={"external": {"uri": "http://milvus.milvus.svc:19530"}},
        api={"autoscaling": {"enabled": False}},
    )
    expected = {child for child in ALL_CHILDREN if child[1] != "vector-store"}
    expected -= {(HORIZONTAL_POD_AUTOSCALER, "api")}
    docs.wait_child(DEPLOYMENT, "api")
    found = docs.children().keys()
    [(kind, suffix)] = found - expected  # what lets the API out to that Milvus
    assert (kind, suffix.partition("-")[0]) == (NETWORK_POLICY, "egress")
    assert expected < found
    assert "ScalingReady" not in docs.conditions()
    docs.wait_condition("VectorStoreReady", "True", reason="External")


def make_secret(cluster, namespace, name, **values):
    cluster.api.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": values,
        },
        namespace=namespace,
    )
