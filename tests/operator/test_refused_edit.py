"""An edit that the API server would refuse in part is not begun."""

from contextlib import contextmanager

import pytest

from tests.controlplane import ApiError
from tests.controlplane.kinds import (
    ADMISSION_BINDING,
    ADMISSION_POLICY,
    CONFIG_MAP,
    DEPLOYMENT,
    POD_DISRUPTION_BUDGET,
    SERVICE,
    STATEFUL_SET,
)
from tests.operator.bundle import writes_of_operator
from tests.support.operator import USER
from tests.support.waiting import eventually

FORBIDDEN = "nowhere.test/service:forbidden"


@pytest.fixture(scope="module")
def operator_settings():
    return {"RAGDEPLOY_RESYNC_SECONDS": "4"}  # when a refusal is tried again


@pytest.fixture
def policy(cluster, namespace):
    """Refuses Deployments with a certain image in the namespace, until it is called."""
    deployments = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    rule = {
        "expression": f"object.spec.template.spec.containers.all(c, c.image != '{FORBIDDEN}')",
        "message": "this image may not run here",
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    bodies = {
        ADMISSION_POLICY: {
            "matchConstraints": {"resourceRules": [deployments]},
            "validations": [rule],
        },
        ADMISSION_BINDING: {
            "policyName": namespace,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": here},
        },
    }
    for (version, kind), spec in bodies.items():
        metadata = {"name": namespace}
        cluster.api.create(
            {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
        )

    def remove():
        while bodies:
            cluster.api.delete(bodies.popitem()[0], namespace)

    yield remove
    remove()


@contextmanager
def nothing_written(cluster, namespace):
    before = cluster.audit.mark()
    yield
    writes = writes_of_operator(cluster.audit.since(before), namespace)
    assert not writes.without("ragdeployments", "events")


def wait_until_it_counts(cluster, docs):
    """A policy takes a moment; until then, what it refuses passes a dry run."""
    api = docs.child(DEPLOYMENT, "api")
    [container] = api["spec"]["template"]["spec"]["containers"]
    container["image"] = FORBIDDEN
    path = cluster.api.path(DEPLOYMENT, "docs-api", namespace=docs.namespace)

    def is_refused():
        try:
            cluster.api.request("PUT", path, body=api, query={"dryRun": "All"})
        except ApiError as error:
            return "may not run here" in error.message
        return False

    eventually(is_refused, what="the policy to count")


IMPOSSIBLE = {"image": {"repository": "nowhere.test/service", "tag": "forbidden"}}


def test_an_edit_that_is_refused_in_part_changes_nothing(
    cluster, operator, bundle, policy, namespace
):
    docs = bundle().wait_children()
    operator.wait_idle()
    wait_until_it_counts(cluster, docs)
    with nothing_written(cluster, namespace):
        docs.apply(**IMPOSSIBLE, retrieval={"topK": 7})
        stalled = docs.wait_condition("Stalled", "True", reason="Refused")
    assert "this image may not run here" in stalled["message"]
    assert docs.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] != "7"

    policy()  # and it is tried again without anybody's help
    docs.wait_condition("Stalled", "False")
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "7")


def test_an_edit_of_the_edit_is_taken(cluster, operator, bundle, policy):
    docs = bundle().wait_children()
    operator.wait_idle()
    wait_until_it_counts(cluster, docs)
    docs.apply(**IMPOSSIBLE, retrieval={"topK": 7})
    docs.wait_condition("Stalled", "True", reason="Refused")
    docs.apply(retrieval={"topK": 8})
    docs.wait_condition("Stalled", "False")
    assert docs.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] == "8"


def test_what_runs_is_kept_up_while_an_edit_is_refused(cluster, operator, bundle, policy):
    docs = bundle().wait_children()
    operator.wait_idle()
    wait_until_it_counts(cluster, docs)
    docs.apply(**IMPOSSIBLE, retrieval={"topK": 7})
    docs.wait_condition("Stalled", "True", reason="Refused")
    uid = docs.child(SERVICE, "api")["metadata"]["uid"]
    cluster.api.delete(SERVICE, "docs-api", namespace=docs.namespace)
    docs.wait_child(SERVICE, "api", lambda service: service["metadata"]["uid"] != uid)
    assert docs.child(CONFIG_MAP, "config")["data"]["RAG_TOP_K"] != "7"
    assert docs.find(POD_DISRUPTION_BUDGET, "api")


def test_one_change_alone_is_not_tried_first(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = cluster.audit.mark()
    docs.apply(vectorStore={"managed": {"resources": {"requests": {"cpu": "123m"}}}})
    docs.wait_child(STATEFUL_SET, "vector-store", lambda found: "123m" in str(found["spec"]))
    asked = cluster.audit.since(before).by(USER).within(namespace)
    assert asked.writes().of("statefulsets")
    assert not asked.dry_runs()
