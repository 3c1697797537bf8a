"""Fields that are passed on as they stand, and what becomes of those that are wrong."""

from tests.controlplane.kinds import DEPLOYMENT, POD

ZONES = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
            ]
        }
    }
}


def test_pods_are_placed_as_the_resource_says_and_nothing_is_written_twice(
    cluster, operator, bundle, namespace
):
    docs = bundle(
        api={"affinity": ZONES, "tolerations": [{"operator": "Exists"}]},
        cache={"managed": {"nodeSelector": {"disk": "ssd"}}},
    ).wait_children()
    pods = cluster.api.list(POD, namespace=namespace, selector="ragdeploy.io/name=docs")
    placed = {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod["spec"] for pod in pods}
    assert placed["api"]["affinity"] == ZONES
    assert placed["cache"]["nodeSelector"] == {"disk": "ssd"}
    operator.wait_idle()
    assert not [event for event in docs.events() if event["reason"] == "Repaired"]


def test_an_affinity_that_makes_no_sense_stalls_and_leaves_what_runs(operator, bundle):
    docs = bundle().wait_children().run()
    before = docs.child(DEPLOYMENT, "api")["spec"]["template"]
    for wrong in ({"preferred": []}, {"requiredDuringSchedulingIgnoredDuringExecution": "zone-a"}):
        docs.apply(api={"affinity": {"podAffinity": wrong}})
        stalled = docs.wait_condition("Stalled", "True", reason="Refused")
        assert "Deployment docs-api" in stalled["message"]
        assert next(iter(wrong)) in stalled["message"]
        assert docs.child(DEPLOYMENT, "api")["spec"]["template"] == before
        docs.wait_condition("Ready", "True")
    docs.apply()
    docs.wait_condition("Stalled", "False")
