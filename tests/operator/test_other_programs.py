"""What GitOps tools, kstatus, Prometheus and kubectl drain make of a bundle."""

from collections import Counter

import pytest

from tests.controlplane.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    POD,
    POD_DISRUPTION_BUDGET,
    RAG_DEPLOYMENT,
)
from tests.operator.bundle import Bundle, writes_of_operator
from tests.support import argocd
from tests.support.operator import shipped_manifests
from tests.support.waiting import eventually

OFF = {"enabled": False}
BAD = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}}
TRACKING = "argocd.argoproj.io/tracking-id"


def kstatus(obj):
    """How ``kstatus.Compute`` of sigs.k8s.io/cli-utils reads an object of any kind."""
    metadata, status = obj["metadata"], obj.get("status", {})
    if "deletionTimestamp" in metadata:
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"


def seen(docs):
    """What Flux (by kstatus) and Argo CD (by our health.lua) make of it."""
    obj = docs.get()
    return kstatus(obj), argocd.health(obj)[0]


@pytest.mark.behaviour(28)
def test_flux_and_argo_cd_see_progress_success_failure_and_rest(bundle):
    docs = bundle().wait_children()
    docs.wait_condition("Reconciling", "True")
    assert seen(docs) == ("InProgress", "Progressing")
    docs.run()
    eventually(lambda: seen(docs) == ("Current", "Healthy"), what="success")
    docs.apply(api=BAD)
    docs.wait_condition("Stalled", "True")
    assert seen(docs) == ("Failed", "Degraded")
    docs.apply()
    eventually(lambda: seen(docs) == ("Current", "Healthy"), what="success again")
    docs.apply(suspend=True)
    eventually(lambda: seen(docs)[1] == "Suspended", what="rest")


@pytest.mark.behaviour(46)
def test_a_gitops_tool_finds_no_difference_and_prunes_no_child(
    cluster, operator, bundle, namespace
):
    docs = bundle().wait_children()
    operator.wait_idle()
    in_git = {
        "apiVersion": "ragdeploy.io/v1alpha1",
        "kind": "RagDeployment",
        "metadata": {
            "name": "docs",
            "annotations": {TRACKING: "shop:ragdeploy.io/RagDeployment:docs"},
            "labels": {"app.kubernetes.io/instance": "shop", "argocd.argoproj.io/instance": "shop"},
        },
        "spec": {"retrieval": {"topK": 7}},
    }
    cluster.api.apply(in_git, namespace=namespace, manager="argocd-controller")
    docs.wait_condition("Reconciling", "True")
    operator.wait_idle()
    synced = docs.get()["metadata"]
    before = cluster.audit.mark()
    for _ in range(3):  # self-heal
        cluster.api.apply(in_git, namespace=namespace, manager="argocd-controller")
    operator.wait_idle()
    assert docs.get()["metadata"]["resourceVersion"] == synced["resourceVersion"]
    assert writes_of_operator(cluster.audit.since(before), namespace) == ()
    assert synced["annotations"] == in_git["metadata"]["annotations"]
    assert synced["labels"] == in_git["metadata"]["labels"]
    # a child with the tool's own marks, and not in git, would be pruned
    for child in docs.children().values():
        assert TRACKING not in child["metadata"].get("annotations", {})
        assert "argocd.argoproj.io/instance" not in child["metadata"]["labels"]


@pytest.mark.behaviour(22)
def test_the_only_pod_of_the_api_can_be_evicted(cluster, bundle, namespace):
    docs = bundle(api={"replicas": 1, "autoscaling": OFF}).run()
    docs.wait_child(
        POD_DISRUPTION_BUDGET,
        "api",
        lambda budget: budget.get("status", {}).get("disruptionsAllowed") == 1,
    )
    [pod] = cluster.api.list(POD, namespace=namespace, selector="app.kubernetes.io/component=api")
    name = pod["metadata"]["name"]
    path = cluster.api.path(POD, name, namespace=namespace, subresource="eviction")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    assert cluster.api.request("POST", path, body=eviction)["status"] == "Success"


def assert_conditions_are_counted(cluster, operator):
    """The metric agrees with what is stored."""

    def counted():
        stored = Counter(
            (condition["type"], condition["status"])
            for resource in cluster.api.list(RAG_DEPLOYMENT)
            for condition in resource.get("status", {}).get("conditions", [])
        )
        told = {
            pair: operator.metric("resources", condition=pair[0], status=pair[1]) for pair in stored
        }
        assert told == stored
        assert operator.metric("resources") == stored.total()
        return (stored,)  # true, although nothing may be stored any more

    [stored] = eventually(counted, what="the metric to agree with what is stored")
    return stored


@pytest.mark.behaviour(47)
def test_prometheus_finds_the_operators_own_figures(cluster, operator, bundle, nobody_leaves):
    docs = bundle().wait_children().run()
    assert assert_conditions_are_counted(cluster, operator)["Ready", "True"] >= 1
    docs.apply(api=BAD)
    docs.wait_condition("Stalled", "True")
    assert assert_conditions_are_counted(cluster, operator)["Stalled", "True"] >= 1
    operator.wait_idle()
    assert operator.metric("reconcile_errors_total", reason="Refused") >= 1
    assert operator.metric("reconcile_total", result="success") > 1
    assert operator.metric("reconcile_total", result="error") >= 1
    assert operator.metric("reconcile_duration_seconds_count") == operator.looks
    assert operator.metric("queue_depth") == 0
    assert operator.metric("queue_oldest_age_seconds") == 0
    assert operator.metric("api_requests_total", verb="apply", code="201") >= 14
    assert operator.metric("api_requests_total", verb="apply", code="422") >= 1
    docs.delete()
    cluster.api.wait_gone(RAG_DEPLOYMENT, docs.name, namespace=docs.namespace)
    assert_conditions_are_counted(cluster, operator)


@pytest.mark.behaviour(37)
def test_what_an_older_definition_has_stored_goes_on_working(cluster, operator, namespace):
    [current] = [m for m in shipped_manifests() if m["kind"] == CUSTOM_RESOURCE_DEFINITION.kind]
    cluster.api.define(older(current))
    try:
        docs = Bundle(cluster, namespace).apply(retrieval={"topK": 3})
        odd = Bundle(cluster, namespace, "odd").apply(
            retrieval={"chunking": {"size": 40, "overlap": 30}}
        )
        docs.wait_children()
        assert "network" not in docs.get()["spec"]
    finally:
        cluster.api.define(current)
    told = odd.wait_condition("Stalled", "True")["message"]
    assert "chunking.overlap must be at most half of chunking.size" in told
    odd.apply(retrieval={"chunking": {"size": 60, "overlap": 30}}).wait_children()
    operator.wait_idle()
    before = {ref: child["metadata"]["generation"] for ref, child in workloads(docs)}
    docs.apply(retrieval={"topK": 3}, network={"networkPolicy": OFF})
    docs.wait_condition("Stalled", "False")
    operator.wait_idle()
    assert {ref: child["metadata"]["generation"] for ref, child in workloads(docs)} == before


def workloads(bundle):
    return [item for item in bundle.children().items() if "template" in item[1].get("spec", {})]


def older(definition):
    """The definition before it had some of its fields, and before it had any rule."""

    def without_rules(part):
        if isinstance(part, dict):
            kept = {k: v for k, v in part.items() if k != "x-kubernetes-validations"}
            return {name: without_rules(value) for name, value in kept.items()}
        return [without_rules(one) for one in part] if isinstance(part, list) else part

    old = without_rules(definition)
    for version in old["spec"]["versions"]:
        fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        for name in ("network", "monitoring"):
            del fields[name]
    return old
