"""Held still by its user: suspended, with nothing running, or paused, with nothing changing."""

import pytest

from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RAG_DEPLOYMENT,
    STATEFUL_SET,
)
from tests.operator.bundle import writes_of_operator
from tests.support.waiting import eventually

WORKLOADS = (
    (DEPLOYMENT, "api"),
    (DEPLOYMENT, "indexer"),
    (STATEFUL_SET, "cache"),
    (STATEFUL_SET, "vector-store"),
)


def sizes(bundle):
    return {suffix: bundle.child(kind, suffix)["spec"]["replicas"] for kind, suffix in WORKLOADS}


@pytest.mark.behaviour(32)
def test_a_suspended_bundle_keeps_its_data_and_wakes_up_as_it_was(
    cluster, operator, bundle, namespace
):
    docs = bundle().wait_children().run()
    cluster.api.patch(
        DEPLOYMENT,
        "docs-api",
        {"spec": {"replicas": 5}},
        namespace=namespace,
        subresource="scale",
    )  # as its autoscaler does it
    eventually(lambda: docs.get()["status"]["replicas"] == 5, what="five pods")
    awake = sizes(docs)
    claims = {
        c["metadata"]["uid"] for c in cluster.api.list(PERSISTENT_VOLUME_CLAIM, namespace=namespace)
    }

    docs.apply(suspend=True)
    docs.wait_condition("Suspended", "True")
    docs.wait_gone(HORIZONTAL_POD_AUTOSCALER, "api")
    eventually(lambda: not cluster.api.list(POD, namespace=namespace), what="the pods to go")
    assert sizes(docs) == dict.fromkeys(awake, 0)
    ready = docs.wait_condition("Ready", "False", reason="Suspended")
    assert "Set it to false to wake it up" in ready["message"]
    assert docs.condition("Stalled")["status"] == "False"
    assert "ScalingReady" not in docs.conditions()
    operator.wait_idle()

    before = cluster.audit.mark()
    docs.apply()
    docs.wait_condition("Ready", "True")
    docs.wait_child(HORIZONTAL_POD_AUTOSCALER, "api")
    eventually(lambda: sizes(docs) == awake, what="the sizes from before")
    asked = [
        write.body["spec"]["replicas"]
        for write in writes_of_operator(cluster.audit.since(before), namespace).of("deployments")
        if write.body["metadata"]["name"] == "docs-api"
        if "replicas" in write.body.get("spec", {})
    ]
    assert set(asked) == {5}
    assert "Suspended" not in docs.conditions()
    again = {
        c["metadata"]["uid"] for c in cluster.api.list(PERSISTENT_VOLUME_CLAIM, namespace=namespace)
    }
    assert again == claims


def test_the_stores_go_after_the_pods_that_use_them(cluster, operator, bundle, namespace):
    docs = bundle().wait_children().run()
    hold = {"metadata": {"finalizers": ["ragdeploy.test/hold"]}}
    [pod] = cluster.api.list(
        POD, namespace=namespace, selector="app.kubernetes.io/component=indexer"
    )
    name = pod["metadata"]["name"]
    cluster.api.patch(POD, name, hold, namespace=namespace)  # a job that takes its time
    docs.apply(suspend=True)
    docs.wait_child(DEPLOYMENT, "indexer", lambda found: found["spec"]["replicas"] == 0)
    operator.wait_idle()
    stopping = docs.wait_condition("Suspended", "False", reason="Stopping")
    assert "pods have not ended yet" in stopping["message"]
    cluster.api.patch(POD, name, {"metadata": {"finalizers": None}}, namespace=namespace)
    docs.wait_condition("Suspended", "True")


def test_a_bundle_can_be_made_asleep(operator, bundle):
    docs = bundle(suspend=True, llm={"apiKeySecretRef": {"name": "absent", "key": "key"}})
    for kind, suffix in WORKLOADS:
        docs.wait_child(kind, suffix)
    docs.wait_condition("Suspended", "True")
    assert set(sizes(docs).values()) == {0}


@pytest.mark.behaviour(31)
def test_a_paused_resource_is_left_alone_until_it_goes_on(cluster, operator, bundle, namespace):
    docs = bundle().wait_children().run()
    operator.wait_idle()
    annotate(docs, "true")
    paused = docs.wait_condition("Paused", "True")
    assert "kubectl annotate" in paused["message"]
    before = cluster.audit.mark()
    observed = docs.get()["status"]["observedGeneration"]
    docs.apply(retrieval={"topK": 9})
    cluster.api.delete(STATEFUL_SET, "docs-cache", namespace=namespace)
    docs.wait_gone(STATEFUL_SET, "cache")
    operator.wait_looks(1)
    operator.wait_idle()
    writes = writes_of_operator(cluster.audit.since(before), namespace)
    assert writes.without("ragdeployments") == ()
    assert docs.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] == "3"
    assert docs.get()["status"]["observedGeneration"] == observed  # the edit is not in force

    annotate(docs, None)
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "9")
    docs.wait_child(STATEFUL_SET, "cache")
    docs.wait_condition("Ready", "True")
    assert "Paused" not in docs.conditions()


def annotate(bundle, value):
    change = {"metadata": {"annotations": {"ragdeploy.io/paused": value}}}
    bundle.api.patch(RAG_DEPLOYMENT, bundle.name, change, namespace=bundle.namespace)
