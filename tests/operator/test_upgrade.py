"""A new operator goes on from what an older one has left, and restarts nothing."""

import pytest

from tests.controlplane.kinds import DEPLOYMENT, STATEFUL_SET
from tests.operator.bundle import writes_of_operator
from tests.operator.running import RunningOperator
from tests.operator.upgrade.snapshots import IMAGES, Snapshot

RECORDED = Snapshot.recorded()


def workloads(docs):
    """What a rollout or a new object would change, by name."""
    return {
        (kind.kind, found["metadata"]["name"]): (
            found["metadata"]["uid"],
            found["spec"]["template"],
        )
        for kind in (DEPLOYMENT, STATEFUL_SET)
        for found in docs.api.list(kind, namespace=docs.namespace)
    }


@pytest.fixture
def run(cluster, tmp_path):
    """Lets an operator do all that it wants to do with a bundle."""

    def until_idle(docs, **settings):
        with RunningOperator(cluster, folder=tmp_path, settings=IMAGES | settings) as operator:
            operator.wait_leading()
            docs.wait_condition("Stalled", "False")
            operator.wait_idle()

    return until_idle


def test_there_is_something_to_upgrade_from():
    assert {file.stem for file in RECORDED} >= {"minimal", "production"}


@pytest.mark.behaviour(36)
@pytest.mark.parametrize("file", RECORDED, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_an_upgrade_replaces_no_pod(cluster, run, file):
    """A change that must replace pods is declared here and in the changelog."""
    docs = Snapshot.load(file).restore(cluster)
    try:
        before, mark = workloads(docs), cluster.audit.mark()
        assert before
        run(docs)
        assert workloads(docs) == before
        writes = writes_of_operator(cluster.audit.since(mark), docs.namespace)
        assert not [entry for entry in writes if entry.verb == "delete"]

        # the same by another default image, to see that a difference would be seen
        run(docs, RAGDEPLOY_SERVICE_IMAGE="images.test/service:2")
        assert workloads(docs) != before
    finally:
        cluster.delete_namespace(docs.namespace)
