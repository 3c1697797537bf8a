"""Who decides the number of pods, and which pods an edit replaces."""

from base64 import b64encode

import pytest

from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    SECRET,
    STATEFUL_SET,
)
from tests.operator.bundle import writes_of_operator
from tests.support.waiting import eventually

ON = {"autoscaling": {"enabled": True}}
OFF = {"autoscaling": {"enabled": False}}
OPENAI = {"apiKeySecretRef": {"name": "openai", "key": "api-key"}}


def replicas(bundle):
    return bundle.child(DEPLOYMENT, "api")["spec"]["replicas"]


def scale(cluster, bundle, number, part="api"):
    """As an autoscaler does it."""
    body = {"spec": {"replicas": number}}
    cluster.api.patch(
        DEPLOYMENT, f"docs-{part}", body, namespace=bundle.namespace, subresource="scale"
    )


def asked_for(cluster, before, namespace):
    """Every number of replicas that the operator wrote."""
    writes = writes_of_operator(cluster.audit.since(before), namespace).of("deployments")
    numbers = [write.body.get("spec", {}).get("replicas") for write in writes]
    return [number for number in numbers if number is not None]


def template(bundle, kind, suffix):
    return bundle.child(kind, suffix)["spec"]["template"]


@pytest.mark.behaviour(19)
def test_the_number_that_an_autoscaler_chose_is_never_overwritten(
    cluster, operator, bundle, namespace
):
    docs = bundle(api=ON).wait_children()
    operator.wait_idle()
    scale(cluster, docs, 7)
    before = cluster.audit.mark()
    for top_k in (5, 6, 7):
        docs.apply(api=ON, retrieval={"topK": top_k})
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "7")
    operator.wait_idle()
    assert replicas(docs) == 7
    assert asked_for(cluster, before, namespace) == []


def test_a_real_autoscaler_takes_the_number_over(cluster, operator, bundle, namespace):
    docs = bundle(api=ON).wait_children()
    docs.apply(api={"autoscaling": {"minReplicas": 4}})
    docs.wait_child(DEPLOYMENT, "api", lambda deployment: deployment["spec"]["replicas"] == 4)
    operator.wait_idle()
    before = cluster.audit.mark()
    docs.apply(api={"autoscaling": {"minReplicas": 4}}, retrieval={"topK": 9})
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "9")
    operator.wait_idle()
    assert replicas(docs) == 4
    assert set(asked_for(cluster, before, namespace)) <= {4}


@pytest.mark.behaviour(20)
def test_switching_autoscaling_off_and_on_never_drops_a_pod(cluster, operator, bundle, namespace):
    docs = bundle(api=ON).wait_children()
    operator.wait_idle()
    scale(cluster, docs, 7)
    before = cluster.audit.mark()

    docs.apply(api=OFF)
    docs.wait_gone(HORIZONTAL_POD_AUTOSCALER, "api")
    operator.wait_idle()
    assert replicas(docs) == 7

    docs.apply(api=ON)
    docs.wait_child(HORIZONTAL_POD_AUTOSCALER, "api")
    operator.wait_idle()
    assert replicas(docs) == 7
    assert set(asked_for(cluster, before, namespace)) <= {7}


def test_an_adopted_number_is_held_until_the_spec_names_another(
    cluster, operator, bundle, namespace
):
    cluster.kubelet.run(namespace)
    docs = bundle(api=ON).wait_children()
    scale(cluster, docs, 5)
    docs.apply(api=OFF)
    docs.wait_gone(HORIZONTAL_POD_AUTOSCALER, "api")
    operator.wait_idle()
    scale(cluster, docs, 1)  # drift, as with any fixed number
    docs.wait_child(DEPLOYMENT, "api", lambda deployment: deployment["spec"]["replicas"] == 5)
    message = docs.wait_condition("ApiReady", "True", reason="Available")["message"]
    assert "5 of 5 pods are ready" in message
    assert "spec.api.replicas 2 counts again once it is changed" in message
    docs.apply(api=OFF | {"replicas": 3})
    docs.wait_child(DEPLOYMENT, "api", lambda deployment: deployment["spec"]["replicas"] == 3)


def test_a_deployment_that_was_deleted_comes_back_at_its_size(cluster, operator, bundle, namespace):
    docs = bundle(api=OFF | {"replicas": 4}).wait_child(DEPLOYMENT, "api")
    uid = docs["metadata"]["uid"]
    cluster.api.delete(DEPLOYMENT, "docs-api", namespace=namespace)
    again = cluster.api.wait_for(
        DEPLOYMENT, "docs-api", lambda d: d["metadata"]["uid"] != uid, namespace=namespace
    )
    assert again["spec"]["replicas"] == 4


def others(bundle):
    """Pod templates of all but the API."""
    stores = [template(bundle, STATEFUL_SET, store) for store in ("cache", "vector-store")]
    return [template(bundle, DEPLOYMENT, "indexer"), *stores]


@pytest.mark.behaviour(21)
def test_an_edit_of_a_setting_rolls_the_api_and_nothing_else(operator, bundle):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = others(docs)
    api = template(docs, DEPLOYMENT, "api")
    docs.apply(batching={"maxBatchSize": 5})
    eventually(lambda: template(docs, DEPLOYMENT, "api") != api, what="the API to roll")
    operator.wait_idle()
    assert others(docs) == before


def test_an_edit_of_what_running_pods_read_anew_rolls_nothing(operator, bundle):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = [template(docs, DEPLOYMENT, "api"), *others(docs)]
    docs.apply(retrieval={"minScore": 0.3})
    docs.wait_child(CONFIG_MAP, "config", lambda found: found["data"]["RAG_MIN_SCORE"] == "0.3")
    operator.wait_idle()
    assert [template(docs, DEPLOYMENT, "api"), *others(docs)] == before


def test_the_indexers_have_an_autoscaler_of_their_own(cluster, operator, bundle, namespace):
    wanted = {"autoscaling": {"enabled": True, "maxReplicas": 6}}
    docs = bundle(indexer=wanted).wait_children()
    scaler = docs.wait_child(HORIZONTAL_POD_AUTOSCALER, "indexer")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "docs-indexer"
    operator.wait_idle()
    scale(cluster, docs, 5, "indexer")
    docs.apply(indexer=wanted, retrieval={"chunking": {"size": 100}})
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_CHUNK_SIZE"] == "100")
    operator.wait_idle()
    assert docs.child(DEPLOYMENT, "indexer")["spec"]["replicas"] == 5
    assert replicas(docs) == 2


def test_an_edit_that_no_pod_reads_rolls_nothing(operator, bundle):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = template(docs, DEPLOYMENT, "api")
    docs.apply(api={"autoscaling": {"maxReplicas": 20}})
    docs.wait_child(
        HORIZONTAL_POD_AUTOSCALER, "api", lambda scaler: scaler["spec"]["maxReplicas"] == 20
    )
    operator.wait_idle()
    assert template(docs, DEPLOYMENT, "api") == before


@pytest.mark.behaviour(21)
def test_another_value_of_a_secret_rolls_the_pods_that_read_it(
    cluster, operator, bundle, namespace
):
    def put(**values):
        data = {k.replace("_", "-"): b64encode(v.encode()).decode() for k, v in values.items()}
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "openai"}}
        cluster.api.apply(manifest | {"data": data}, namespace=namespace)

    put(api_key="sk-1", note="a")
    docs = bundle(llm=OPENAI).wait_children()
    operator.wait_idle()
    api, before = template(docs, DEPLOYMENT, "api"), others(docs)
    put(api_key="sk-1", note="b")  # a key that nobody reads
    operator.wait_idle()
    assert template(docs, DEPLOYMENT, "api") == api
    put(api_key="sk-2", note="b")
    eventually(lambda: template(docs, DEPLOYMENT, "api") != api, what="the API to roll")
    operator.wait_idle()
    assert others(docs) == before


def test_a_generated_key_can_be_changed_by_its_user(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = template(docs, DEPLOYMENT, "api")
    mine = {"data": {"api-key": b64encode(b"my-own-key").decode()}}
    cluster.api.patch(SECRET, "docs-api-key", mine, namespace=namespace)
    docs.apply(api={"autoscaling": {"maxReplicas": 12}})  # something that it must react to
    docs.wait_child(
        HORIZONTAL_POD_AUTOSCALER, "api", lambda scaler: scaler["spec"]["maxReplicas"] == 12
    )
    operator.wait_idle()
    assert docs.child(SECRET, "api-key")["data"] == mine["data"]
    assert template(docs, DEPLOYMENT, "api") == before  # its pods read the file anew
