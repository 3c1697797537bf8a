"""An operator with nothing to do does nothing."""

import pytest

from tests.support.operator import USER


@pytest.fixture(scope="module")
def operator_settings():
    # it looks at everything four times a second instead of every ten minutes
    return {"RAGDEPLOY_RESYNC_SECONDS": "0.25"}


@pytest.mark.behaviour(10)
def test_an_idle_operator_writes_its_lease_and_nothing_else(
    cluster, operator, bundle, nobody_leaves
):
    docs = bundle().wait_children().run()
    docs.wait_condition("ScalingReady", "False")  # the autoscaler has had its say
    operator.wait_looks(5)
    before = cluster.audit.mark()
    operator.wait_looks(40)
    entries = cluster.audit.since(before).by(USER)
    assert entries.writes(without=["leases"]) == ()
    assert entries.of("leases").writes()
    assert entries.reads() == ()
