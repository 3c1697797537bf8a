"""The end of a bundle, and the restarts of the operator."""

import pytest

from tests.controlplane.kinds import (
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RAG_DEPLOYMENT,
    STATEFUL_SET,
)
from tests.operator.bundle import ALL_CHILDREN, Bundle, writes_of_operator
from tests.support.waiting import eventually


def claims(bundle):
    found = bundle.api.list(PERSISTENT_VOLUME_CLAIM, namespace=bundle.namespace)
    return {claim["metadata"]["name"] for claim in found}


def wait_nothing_left(bundle):
    eventually(lambda: not bundle.children(), what=f"the children of {bundle.name} to go")
    eventually(lambda: not bundle.api.list(POD, namespace=bundle.namespace), what="the pods to go")


def volumes(redis):
    """The claims of a bundle with so many Redis."""
    return {"data-docs-vector-store-0", *(f"data-docs-cache-{number}" for number in range(redis))}


@pytest.mark.behaviour(33)
@pytest.mark.parametrize("redis", [1, 3])
def test_deleting_a_resource_leaves_its_volumes_and_nothing_else(operator, bundle, redis):
    docs = bundle(cache={"managed": {"replicas": redis}}).wait_children().run()
    eventually(lambda: claims(docs) == volumes(redis), what="all volume claims")
    docs.delete()
    wait_nothing_left(docs)
    assert claims(docs) == volumes(redis)


@pytest.mark.behaviour(33)
@pytest.mark.parametrize("redis", [1, 3])
def test_deleting_a_resource_takes_its_volumes_along_if_that_is_wanted(operator, bundle, redis):
    cache = {"managed": {"replicas": redis}}
    docs = bundle(persistentVolumeClaimPolicy="Delete", cache=cache).wait_children().run()
    eventually(lambda: claims(docs) == volumes(redis), what="all volume claims")
    docs.delete()
    wait_nothing_left(docs)
    eventually(lambda: not claims(docs), what="the volume claims to go")


def test_a_resource_that_is_made_again_finds_its_volumes(operator, bundle):
    docs = bundle().wait_children().run()
    before = claims(docs)
    docs.delete()
    wait_nothing_left(docs)
    docs.apply().wait_children().run()
    assert claims(docs) == before


def test_a_resource_that_is_made_again_at_once_gets_children_of_its_own(operator, bundle):
    docs = bundle().wait_children()
    docs.delete()
    docs.apply()
    uid = docs.get()["metadata"]["uid"]

    def all_new():
        owners = [child["metadata"]["ownerReferences"][0] for child in docs.children().values()]
        return docs.children().keys() == ALL_CHILDREN and {o["uid"] for o in owners} == {uid}

    eventually(all_new, what="children of the new resource")


def test_a_resource_on_its_way_out_is_not_worked_on(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    hold = {"metadata": {"finalizers": ["ragdeploy.test/hold"]}}
    cluster.api.patch(RAG_DEPLOYMENT, "docs", hold, namespace=namespace)
    operator.wait_idle()
    docs.delete()
    cluster.api.delete(STATEFUL_SET, "docs-cache", namespace=namespace)
    docs.wait_gone(STATEFUL_SET, "cache")
    operator.wait_idle()
    assert docs.find(STATEFUL_SET, "cache") is None
    cluster.api.patch(
        RAG_DEPLOYMENT, "docs", {"metadata": {"finalizers": None}}, namespace=namespace
    )
    wait_nothing_left(docs)


def test_the_operator_adds_nothing_to_the_resource(operator, bundle):
    docs = bundle().wait_children()
    metadata = docs.get()["metadata"]
    assert "finalizers" not in metadata
    assert "annotations" not in metadata
    managers = {(m["manager"], m.get("subresource")) for m in metadata["managedFields"]}
    assert managers == {("kubectl", None), ("ragdeploy-operator", "status")}


@pytest.mark.behaviour(34)
def test_deleting_a_resource_needs_no_operator(operator, bundle):
    docs = bundle().wait_children()
    operator.stop()
    try:
        docs.delete()
        wait_nothing_left(docs)
    finally:
        operator.start()


@pytest.mark.behaviour(35)
def test_a_deleted_namespace_goes_while_the_operator_runs(cluster, operator):
    doomed = cluster.create_namespace()
    for name in ("docs", "other"):
        Bundle(cluster, doomed, name).apply().wait_children()
    cluster.delete_namespace(doomed)
    cluster.api.wait_gone(NAMESPACE, doomed)


def test_a_restart_of_the_operator_writes_nothing(cluster, operator, bundle, nobody_leaves):
    both = [bundle(name=name).wait_children() for name in ("docs", "other")]
    for one in both:
        one.run().wait_condition("ScalingReady", "False")  # the autoscaler has had its say
    operator.wait_idle()
    operator.stop()
    before = cluster.audit.mark()
    operator.start()
    operator.wait_looks(2)
    operator.wait_idle()
    assert writes_of_operator(cluster.audit.since(before)) == ()


def test_what_happened_while_the_operator_was_down_is_put_right(cluster, operator, bundle):
    docs = bundle().wait_children()
    operator.stop()
    cluster.api.delete(STATEFUL_SET, "docs-cache", namespace=docs.namespace)
    docs.wait_gone(STATEFUL_SET, "cache")
    operator.start()
    docs.wait_child(STATEFUL_SET, "cache")
