"""``ragdeploy plan``: what it says is what then happens."""

import json
import subprocess
import sys

import pytest
import yaml

from tests.controlplane.kinds import CONFIG_MAP, DEPLOYMENT, RAG_DEPLOYMENT
from tests.operator.bundle import writes_of_operator

ADMINISTRATOR = "harness-admin"

_KINDS = {  # as the audit log names them
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "StatefulSet": "statefulsets",
}


@pytest.fixture
def plan(cluster, tmp_path):
    """Runs the command on a spec; its answer and what it printed."""

    def run(namespace, *options, name="docs", **spec):
        file = tmp_path / "resource.yaml"
        body = {
            "apiVersion": RAG_DEPLOYMENT.api_version,
            "kind": RAG_DEPLOYMENT.kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        file.write_text(yaml.safe_dump(body))
        program = [sys.executable, "-m", "ragdeploy_service.cli"]
        return subprocess.run(
            [*program, "plan", "-f", file, "-n", namespace, *options],
            env={"KUBECONFIG": str(cluster.kubeconfig), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def steps(ran):
    assert ran.returncode in (0, 2), ran.stderr
    [made] = json.loads(ran.stdout)
    return {(step["action"], _KINDS[step["kind"]], step["name"]) for step in made["steps"]}


_ACTIONS = {(201, "patch"): "create", (200, "patch"): "change", (200, "delete"): "delete"}


def done(cluster, before, namespace):
    """What the operator did, in the words of a plan."""
    entries = writes_of_operator(cluster.audit.since(before), namespace)
    return {
        (_ACTIONS[entry.code, entry.verb], entry.resource, entry.name)
        for entry in entries.without("ragdeployments")
    }


EDITS = {
    "live setting": {"retrieval": {"topK": 7}},
    "setting": {"batching": {"maxBatchSize": 7}},
    "image": {"image": {"repository": "example.test/service", "tag": "2"}},
    "autoscaling off": {"api": {"autoscaling": {"enabled": False}, "replicas": 3}},
    "indexer autoscaling": {"indexer": {"autoscaling": {"enabled": True, "maxReplicas": 6}}},
    "ingress": {"network": {"ingress": {"host": "docs.example.test"}}},
    "no policies": {"network": {"networkPolicy": {"enabled": False}}},
    "store": {"vectorStore": {"managed": {"resources": {"requests": {"cpu": "123m"}}}}},
    "suspend": {"suspend": True},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_what_a_plan_says_is_what_then_happens(cluster, operator, bundle, namespace, plan, edit):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = cluster.audit.mark()
    planned = steps(plan(namespace, "-o", "json", **edit))
    tried = steps(plan(namespace, "-o", "json", "--server", **edit))
    written = cluster.audit.since(before).writes(user=ADMINISTRATOR, namespace=namespace)
    assert not written
    assert planned == tried
    docs.apply(**edit)
    operator.wait_idle()
    assert done(cluster, before, namespace) == planned
    assert planned


def test_a_new_resource_is_created_as_planned(cluster, operator, bundle, namespace, plan):
    planned = steps(plan(namespace, "-o", "json", "--server"))
    before = cluster.audit.mark()
    bundle().wait_children()
    operator.wait_idle()
    assert done(cluster, before, namespace) == planned


def test_without_a_change_there_is_nothing_to_do(operator, bundle, namespace, plan):
    bundle(retrieval={"topK": 4}).wait_children()
    operator.wait_idle()
    for server in ((), ("--server",)):
        ran = plan(namespace, "--exit-code", *server, retrieval={"topK": 4})
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "Nothing would change" in ran.stdout


def test_it_says_which_pods_are_replaced_and_why(operator, bundle, namespace, plan):
    bundle().wait_children()
    operator.wait_idle()
    ran = plan(namespace, "--exit-code", batching={"maxBatchSize": 7})
    assert ran.returncode == 2
    assert "data.RAG_BATCH_MAX_SIZE: 10 -> 7" in ran.stdout
    assert "Pods replaced: docs-api." in ran.stdout
    assert "its settings change" in ran.stdout


def test_it_says_that_no_pod_is_replaced(operator, bundle, namespace, plan):
    bundle().wait_children()
    operator.wait_idle()
    ran = plan(namespace, retrieval={"topK": 7})
    assert "data.RAG_TOP_K: 3 -> 7" in ran.stdout
    assert "No pod is replaced." in ran.stdout


def test_no_value_of_a_secret_is_shown(cluster, operator, bundle, namespace, plan):
    docs = bundle().wait_children()
    operator.wait_idle()
    ran = plan(namespace, "-o", "json", retrieval={"topK": 7})
    assert docs.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] == "3"
    assert "docs-api-key" not in ran.stdout


def test_a_bad_field_is_named(operator, namespace, plan):
    ran = plan(namespace, retrieval={"topK": 0})
    assert ran.returncode == 1
    assert "spec.retrieval.topK" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_field_that_does_not_exist_is_named(operator, namespace, plan):
    ran = plan(namespace, retrieval={"topk": 7})
    assert ran.returncode == 1
    assert "spec.retrieval.topk: there is no such field; did you mean topK?" in ran.stderr


def test_what_the_api_server_refuses_is_told(operator, bundle, namespace, plan):
    bundle().wait_children()
    ran = plan(namespace, "--server", cache={"managed": {"replicas": 3}})
    assert ran.returncode == 1
    assert "cache.managed.replicas cannot change" in ran.stderr


def test_a_missing_secret_is_told(operator, namespace, plan):
    ran = plan(namespace, llm={"apiKeySecretRef": {"name": "openai", "key": "api-key"}})
    assert ran.returncode == 0
    assert "waits for: Secret openai" in ran.stdout


def test_a_name_that_is_taken_is_told(cluster, operator, bundle, namespace, plan):
    taken = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "docs-config"},
        "data": {"a": "b"},
    }
    cluster.api.create(taken, namespace=namespace)
    ran = plan(namespace)
    assert ran.returncode == 1
    assert "was there already and is not the operator's" in ran.stdout
    assert DEPLOYMENT.kind in ran.stdout
