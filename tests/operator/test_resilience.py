"""Crashes, outages, rivals. On a control plane of its own, which is killed on the way."""

import signal

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.binaries import find_binaries
from tests.controlplane.kinds import CONFIG_MAP, DEPLOYMENT, LEASE, STATEFUL_SET
from tests.operator.bundle import Bundle, writes_of_operator
from tests.operator.running import RunningOperator
from tests.support.operator import NAMESPACE, install
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def cluster(say):
    with ControlPlane.start(binaries=find_binaries(say)) as cluster:
        install(cluster)
        yield cluster


@pytest.fixture
def namespace(cluster):
    def create():
        try:
            return cluster.create_namespace()
        except AssertionError:  # the controllers are not back from the outage before
            return None

    return eventually(create, what="a namespace", timeout=180)


@pytest.fixture
def second(cluster, operator, tmp_path):
    """Another replica of the operator, waiting for its turn."""
    with RunningOperator(cluster, folder=tmp_path) as replica:
        eventually(lambda: "waiting for the lease" in replica.log, what="the second to wait")
        yield replica


def top_k(bundle, number):
    """Edit the bundle, and return once the edit has taken effect."""
    bundle.apply(retrieval={"topK": number})
    bundle.wait_child(
        CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == str(number)
    )


@pytest.mark.behaviour(39)
def test_an_outage_of_the_api_server_is_survived_by_the_same_process(cluster, operator, bundle):
    docs = bundle().wait_children()
    cluster.apiserver.kill()
    # long enough to lose the lease: from then on another replica may write
    eventually(lambda: not operator.metric("leading"), what="the operator to stop writing")
    assert "could not be renewed for 10 s" in operator.log
    assert operator.http.get("/healthz").status_code == 200
    restart(cluster)
    top_k(docs, 12)
    assert operator.process.running
    retries = [line for line in operator.log.splitlines() if "; will retry: " in line]
    assert retries
    assert all("[warning" in line for line in retries)  # an error is what somebody must mend


@pytest.mark.behaviour(40)
def test_a_child_deleted_while_the_operator_cannot_look_comes_back(
    cluster, operator, bundle, namespace
):
    docs = bundle().wait_children()
    operator.process.signal(signal.SIGSTOP)
    for kind, suffix in ((STATEFUL_SET, "cache"), (CONFIG_MAP, "config")):
        cluster.api.delete(kind, f"docs-{suffix}", namespace=namespace)
        docs.wait_gone(kind, suffix)
    cluster.apiserver.kill()  # its watches end, and what they would have told is lost with them
    restart(cluster)
    operator.process.signal(signal.SIGCONT)
    docs.wait_children()


@pytest.mark.behaviour(41)
def test_of_two_replicas_one_writes(cluster, operator, second, bundle, namespace):
    docs = bundle().wait_children()
    top_k(docs, 14)
    assert "beginning to work" not in second.log
    assert second.metric("leading") == 0
    assert second.metric("api_requests_total", verb="apply") == 0
    assert second.ready()


@pytest.mark.behaviour(41)
def test_a_replica_takes_over_from_one_that_crashed_and_then_from_one_that_stopped(
    cluster, operator, second, bundle
):
    docs = bundle().wait_children()
    operator.kill()
    cluster.api.delete(STATEFUL_SET, "docs-cache", namespace=docs.namespace)
    docs.wait_gone(STATEFUL_SET, "cache")
    before = cluster.audit.mark()
    second.wait_leading()
    docs.wait_child(STATEFUL_SET, "cache")
    written = writes_of_operator(cluster.audit.since(before), docs.namespace)
    assert [entry.name for entry in written.without("ragdeployments")] == ["docs-cache"]

    operator.start()
    assert second.stop() == 0
    top_k(docs, 15)  # released, so it was taken at once
    lease = cluster.api.get(LEASE, "ragdeploy-operator", namespace=NAMESPACE)
    assert lease["spec"]["leaseTransitions"] >= 2


def test_a_frozen_holder_does_not_write_after_it_was_replaced(
    cluster, operator, second, bundle, namespace
):
    docs = bundle().wait_children()
    operator.wait_idle()
    operator.process.signal(signal.SIGSTOP)
    second.wait_leading()
    top_k(docs, 16)
    operator.process.signal(signal.SIGCONT)
    eventually(lambda: not operator.metric("leading"), what="the first to stand back")
    top_k(docs, 17)
    assert second.metric("leading")


def test_a_resource_deleted_unseen_gets_no_children(cluster, operator, namespace):
    # kopf does not notice a deletion that its watch has missed: the engine asks before it makes
    docs = Bundle(cluster, namespace).apply().wait_children()
    operator.wait_idle()
    cluster.apiserver.kill()
    operator.process.signal(signal.SIGSTOP)
    restart(cluster)
    docs.delete()
    # the garbage collector takes its time after an outage
    eventually(lambda: not docs.children(), what="the children to go")
    cluster.apiserver.kill()
    restart(cluster)  # it remembers no event from before its start
    operator.process.signal(signal.SIGCONT)
    before = cluster.audit.mark()
    other = Bundle(cluster, namespace, "other").apply().wait_children()
    operator.wait_idle()
    assert docs.children() == {}
    assert "forgetting it" in operator.log
    written = writes_of_operator(cluster.audit.since(before), namespace)
    assert {entry.name.split("-")[0] for entry in written} == {"other"}
    assert other.find(DEPLOYMENT, "api")


def restart(cluster):
    cluster.apiserver.start()
    cluster.wait_ready()
