"""Volumes that grow under pods that go on running."""

import pytest

from tests.controlplane.api import ApiError
from tests.controlplane.kinds import (
    CONFIG_MAP,
    INGRESS,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SERVICE,
    STATEFUL_SET,
    Kind,
)
from tests.support.waiting import eventually

STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass")


@pytest.fixture(scope="module")
def classes(cluster):
    """Storage classes: volumes of "growing" can grow, those of "fixed" cannot."""
    for name, grows in (("growing", True), ("fixed", False)):
        cluster.api.apply(
            {
                "apiVersion": STORAGE_CLASS.api_version,
                "kind": STORAGE_CLASS.kind,
                "metadata": {"name": name},
                "provisioner": "paper.ragdeploy.test",
                "allowVolumeExpansion": grows,
            }
        )


def store(size, storage_class):
    return {"managed": {"storage": {"size": size, "className": storage_class}}}


def claim(cluster, namespace):
    return cluster.api.get(
        PERSISTENT_VOLUME_CLAIM, "data-docs-vector-store-0", namespace=namespace
    )["spec"]["resources"]["requests"]["storage"]


def pod(cluster, namespace):
    found = cluster.api.get(POD, "docs-vector-store-0", namespace=namespace)
    return found["metadata"]["uid"]


@pytest.mark.behaviour(23)
@pytest.mark.behaviour(24)
def test_a_volume_grows_and_its_pod_goes_on_running(cluster, bundle, namespace, classes):
    docs = bundle(vectorStore=store("10Gi", "growing")).wait_children().run()
    before = pod(cluster, namespace)
    docs.apply(vectorStore=store("20Gi", "growing"))
    eventually(lambda: claim(cluster, namespace) == "20Gi", what="the claim to ask for more")

    def made_anew():
        found = docs.find(STATEFUL_SET, "vector-store")
        assert found, "not made anew yet"
        [template] = found["spec"]["volumeClaimTemplates"]
        assert template["spec"]["resources"]["requests"]["storage"] == "20Gi"
        orphan = cluster.api.get(POD, "docs-vector-store-0", namespace=namespace)["metadata"]
        owners = [owner["uid"] for owner in orphan.get("ownerReferences", [])]
        return owners == [found["metadata"]["uid"]]

    eventually(made_anew, what="a StatefulSet with the larger template to have taken the pod over")
    assert pod(cluster, namespace) == before
    docs.wait_condition("Reconciling", "False")
    docs.wait_condition("Ready", "True")


@pytest.mark.behaviour(23)
def test_a_volume_that_cannot_grow_is_told_and_nothing_is_touched(
    cluster, operator, bundle, namespace, classes
):
    docs = bundle(vectorStore=store("10Gi", "fixed")).wait_children().run()
    before = docs.child(STATEFUL_SET, "vector-store")["metadata"]["uid"]
    docs.apply(vectorStore=store("20Gi", "fixed"))
    stalled = docs.wait_condition("Stalled", "True", reason="VolumeCannotGrow")
    assert "data-docs-vector-store-0 cannot grow to 20Gi" in stalled["message"]
    assert "storage class 'fixed' does not allow it" in stalled["message"]
    operator.wait_idle()
    assert docs.child(STATEFUL_SET, "vector-store")["metadata"]["uid"] == before
    docs.wait_condition("Ready", "True")


@pytest.mark.behaviour(23)
def test_an_edit_with_a_volume_that_cannot_grow_is_not_done_half(
    cluster, operator, bundle, namespace, classes
):
    def spec(*, size, top_k, **more):
        cache = {"managed": {"storage": {"size": size, "className": "fixed"}}}
        vectors = store(size, "growing")
        return {"vectorStore": vectors, "cache": cache, "retrieval": {"topK": top_k}, **more}

    ingress = {"ingress": {"host": "docs.example.com"}}
    docs = bundle(**spec(size="10Gi", top_k=4, network=ingress)).wait_children()
    docs.wait_child(INGRESS, "api")
    docs.run()
    operator.wait_idle()
    docs.apply(**spec(size="20Gi", top_k=5))
    docs.wait_condition("Stalled", "True", reason="VolumeCannotGrow")
    cluster.api.delete(SERVICE, "docs-api", namespace=namespace)
    docs.wait_child(SERVICE, "api")  # what runs is kept up
    operator.wait_idle()
    assert claim(cluster, namespace) == "10Gi"  # the class of this one lets it grow
    assert docs.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] == "4"
    assert docs.find(INGRESS, "api")


def sizes(cluster, namespace, prefix):
    """What the claims ask for, by name."""
    return {
        found["metadata"]["name"]: found["spec"]["resources"]["requests"]["storage"]
        for found in cluster.api.list(PERSISTENT_VOLUME_CLAIM, namespace=namespace)
        if found["metadata"]["name"].startswith(prefix)
    }


@pytest.mark.behaviour(23)
@pytest.mark.behaviour(24)
def test_the_volumes_of_all_three_redis_grow_and_their_pods_go_on_running(
    cluster, bundle, namespace, classes
):
    def cache(size):
        return {"managed": {"replicas": 3, "storage": {"size": size, "className": "growing"}}}

    def pods():
        return {
            found["metadata"]["name"]: found["metadata"]["uid"]
            for found in cluster.api.list(POD, namespace=namespace)
            if found["metadata"]["name"].startswith("docs-cache-")
        }

    names = [f"data-docs-cache-{number}" for number in range(3)]
    docs = bundle(cache=cache("1Gi")).wait_children().run()
    before = pods()
    assert sizes(cluster, namespace, "data-docs-cache-") == dict.fromkeys(names, "1Gi")
    old = docs.child(STATEFUL_SET, "cache")["metadata"]["uid"]
    with pytest.raises(ApiError, match="a volume cannot shrink"):
        docs.apply(cache=cache("1023Mi"))
    docs.apply(cache=cache("2Gi"))
    eventually(
        lambda: sizes(cluster, namespace, "data-docs-cache-") == dict.fromkeys(names, "2Gi"),
        what="all three claims to ask for more",
    )
    eventually(
        lambda: (found := docs.find(STATEFUL_SET, "cache")) and found["metadata"]["uid"] != old,
        what="a StatefulSet with the larger template",
    )
    docs.wait_condition("Reconciling", "False")
    docs.wait_condition("CacheReady", "True")
    assert pods() == before
