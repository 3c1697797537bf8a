"""A Milvus that the Milvus Operator runs: handed over, watched, and not fought about."""

import pytest

from tests.controlplane.api import ApiError
from tests.controlplane.kinds import (
    DEPLOYMENT,
    MILVUS,
    STATEFUL_SET,
)
from tests.operator.bundle import writes_of_operator
from tests.operator.definitions import MILVUSES

CLUSTER = {"managed": {"mode": "cluster"}}


@pytest.fixture
def installed(cluster):
    cluster.api.define(MILVUSES)
    yield
    cluster.api.undefine(MILVUSES)


def tell(cluster, namespace, state, **condition):
    """What the Milvus Operator would write."""
    conditions = [{"type": "MilvusReady", "reason": "Reason", **condition}] if condition else []
    body = {"status": {"status": state, "conditions": conditions}}
    cluster.api.patch(MILVUS, "docs", body, namespace=namespace, subresource="status")


def test_without_the_milvus_operator_that_is_said_and_its_arrival_noticed(
    cluster, operator, bundle, namespace
):
    docs = bundle(vectorStore=CLUSTER)
    told = docs.wait_condition("VectorStoreReady", "False", reason="KindMissing")["message"]
    assert "Install the Milvus Operator" in told
    docs.wait_condition("Ready", "False")
    cluster.api.define(MILVUSES)
    try:
        cluster.api.wait_for(MILVUS, "docs", namespace=namespace)
        docs.wait_condition("VectorStoreReady", "False", reason="Starting")
    finally:
        cluster.api.undefine(MILVUSES)
    docs.wait_condition("VectorStoreReady", "False", reason="KindMissing")
    assert operator.process.running


def test_its_state_is_told_in_the_words_of_the_milvus_operator(
    cluster, operator, bundle, namespace, installed
):
    docs = bundle(vectorStore=CLUSTER)
    cluster.api.wait_for(MILVUS, "docs", namespace=namespace)
    assert docs.find(STATEFUL_SET, "vector-store") is None
    why = "connection of etcd refused"
    tell(cluster, namespace, "Unhealthy", status="False", message=why)
    told = docs.wait_condition("VectorStoreReady", "False", reason="Unhealthy")["message"]
    assert told == (
        f"Milvus docs is unhealthy. MilvusReady is False: {why}. "
        f"To see more: kubectl describe milvus docs -n {namespace}"
    )
    tell(cluster, namespace, "Healthy", status="True", message="all fine")
    docs.wait_condition("VectorStoreReady", "True", reason="Available")
    docs.wait_child(DEPLOYMENT, "api")
    docs.run()
    docs.wait_condition("Ready", "True")


def test_what_others_write_into_it_stays(cluster, operator, bundle, namespace, installed):
    docs = bundle(vectorStore={"managed": {"mode": "cluster", "cluster": {"config": {"a": 1}}}})
    cluster.api.wait_for(MILVUS, "docs", namespace=namespace)
    operator.wait_idle()
    before = cluster.audit.mark()
    theirs = {"dependencies": {"msgStreamType": "pulsar"}, "components": {"proxy": {"replicas": 2}}}
    cluster.api.patch(MILVUS, "docs", {"spec": theirs}, namespace=namespace)
    operator.wait_idle()
    assert writes_of_operator(cluster.audit.since(before), namespace) == ()
    cluster.api.patch(MILVUS, "docs", {"spec": {"mode": "standalone"}}, namespace=namespace)
    put_back = cluster.api.wait_for(
        MILVUS, "docs", lambda found: found["spec"]["mode"] == "cluster", namespace=namespace
    )
    assert put_back["spec"]["components"]["proxy"] == {"replicas": 2}
    assert put_back["spec"]["config"] == {"a": 1}
    with pytest.raises(ApiError, match="mode cannot change once the Milvus is there"):
        docs.apply()
    docs.delete()
    cluster.api.wait_gone(MILVUS, "docs", namespace=namespace)
