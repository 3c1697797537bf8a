"""Fields that are passed on as they stand, and what becomes of those that are wrong."""

from tests.controlplane.kinds import CONFIG_MAP, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, POD
from tests.operator.bundle import writes_of_operator
from tests.support.waiting import eventually

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

    def placed(component):
        labels = f"ragdeploy.io/name=docs,app.kubernetes.io/component={component}"
        pods = eventually(
            lambda: cluster.api.list(POD, namespace=namespace, selector=labels),
            what=f"pods of the {component}",
        )
        return pods[0]["spec"]

    assert placed("api")["affinity"] == ZONES
    assert placed("cache")["nodeSelector"] == {"disk": "ssd"}
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


def test_metrics_of_ones_own_reach_the_autoscaler_and_nothing_is_written_twice(
    cluster, operator, bundle, namespace
):
    target = {"type": "AverageValue", "averageValue": "1000m"}  # kept as "1"
    metric = {"type": "Pods", "pods": {"metric": {"name": "questions"}, "target": target}}
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    docs = bundle(api={"autoscaling": {"metrics": [metric], "behavior": behavior}})
    found = docs.wait_child(HORIZONTAL_POD_AUTOSCALER, "api")
    assert [one["type"] for one in found["spec"]["metrics"]] == ["ContainerResource", "Pods"]
    assert found["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 60
    operator.wait_idle()
    before = cluster.audit.mark()
    docs.apply(
        api={"autoscaling": {"metrics": [metric], "behavior": behavior}}, retrieval={"topK": 7}
    )
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "7")
    operator.wait_idle()
    writes = writes_of_operator(cluster.audit.since(before), namespace)
    assert writes.of("horizontalpodautoscalers") == ()


def test_a_metric_that_makes_no_sense_stalls_and_names_the_autoscaler(operator, bundle):
    wrong = {"type": "Pods", "pods": {"metric": {"name": "x"}, "target": {"type": "Sometimes"}}}
    docs = bundle(api={"autoscaling": {"metrics": [wrong]}})
    stalled = docs.wait_condition("Stalled", "True", reason="Refused")
    assert "HorizontalPodAutoscaler docs-api" in stalled["message"]
    assert "metrics[1].pods.target" in stalled["message"]
