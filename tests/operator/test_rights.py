"""What the operator does when it may do less than it needs, or only look at some namespaces."""

import pytest

from tests.controlplane.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
)
from tests.operator.bundle import Bundle
from tests.operator.running import RunningOperator
from tests.support.operator import shipped_manifests
from tests.support.waiting import eventually


class Account:
    """A ServiceAccount with some of the shipped rights, in a namespace of its own."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.namespace = cluster.create_namespace("rights")
        self.create(SERVICE_ACCOUNT, automountServiceAccountToken=False)
        self.grant(ROLE, rules_of("Role"), self.namespace)
        self.bind(ROLE_BINDING, "Role", self.namespace)

    def create(self, kind, namespace=None, **body):
        metadata = {"name": self.name}
        manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        self.cluster.api.apply(manifest | body, namespace=namespace or self.namespace)

    def grant(self, kind, rules, namespace=None):
        self.create(kind, namespace, rules=rules)

    def bind(self, kind, role, namespace=None):
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": self.name}
        subject = {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}
        self.create(kind, namespace, roleRef=reference, subjects=[subject])

    def operator(self, folder, **settings):
        token = self.cluster.service_account_token(self.namespace, self.name)
        return RunningOperator(
            self.cluster,
            folder=folder,
            settings={"RAGDEPLOY_NAMESPACE": self.namespace} | settings,
            token=token,
        )


def rules_of(kind):
    [role] = [
        manifest
        for manifest in shipped_manifests()
        if manifest["kind"] == kind
        and manifest["metadata"]["name"].startswith("ragdeploy-operator")
        and not manifest["metadata"]["name"].endswith(("viewer", "editor"))
    ]
    return role["rules"]


def without(rules, resource, verb):
    """The same rules, but for one right."""
    narrower = []
    for rule in rules:
        for one in rule["resources"]:
            verbs = [v for v in rule["verbs"] if (one, v) != (resource, verb)]
            narrower.append(rule | {"resources": [one], "verbs": verbs})
    return narrower


@pytest.mark.behaviour(44)
def test_a_missing_right_is_named_and_waited_for(cluster, tmp_path):
    account = Account(cluster, "lacks-pods")
    account.grant(CLUSTER_ROLE, without(rules_of("ClusterRole"), "pods", "list"))
    account.bind(CLUSTER_ROLE_BINDING, "ClusterRole")
    operator = account.operator(tmp_path)
    operator.process.start()
    try:
        eventually(
            lambda: "may not list pods in all namespaces" in operator.log, what="a word about it"
        )
        docs = Bundle(cluster, cluster.create_namespace()).apply()
        eventually(lambda: "pods in all namespaces not listed yet" in unready(operator), what="why")
        assert operator.http.get("/healthz").status_code == 200
        assert docs.get().get("status") is None

        account.grant(CLUSTER_ROLE, rules_of("ClusterRole"))
        docs.wait_children()
        assert operator.process.running
    finally:
        operator.stop()
        cluster.api.delete(CLUSTER_ROLE_BINDING, account.name)


def test_a_right_that_is_taken_away_later_is_told_in_the_status(cluster, tmp_path):
    account = Account(cluster, "loses-services")
    account.grant(CLUSTER_ROLE, without(rules_of("ClusterRole"), "services", "patch"))
    account.bind(CLUSTER_ROLE_BINDING, "ClusterRole")
    with account.operator(tmp_path):
        docs = Bundle(cluster, cluster.create_namespace()).apply()
        told = docs.wait_condition("Reconciling", "True", reason="Forbidden")["message"]
        assert "The operator may not apply Service docs-" in told
        assert 'cannot patch resource \\"services\\"' in told.replace('"', '\\"')
        account.grant(CLUSTER_ROLE, rules_of("ClusterRole"))
        docs.wait_children()
    cluster.api.delete(CLUSTER_ROLE_BINDING, account.name)


def test_in_some_namespaces_it_needs_no_right_on_the_cluster(cluster, tmp_path):
    account = Account(cluster, "namespaced")
    mine, other = cluster.create_namespace(), cluster.create_namespace()
    namespaced = [
        rule
        for rule in rules_of("ClusterRole")
        if rule["apiGroups"][0] not in ("apiextensions.k8s.io", "authorization.k8s.io")
    ]
    account.grant(ROLE, namespaced, mine)
    account.bind(ROLE_BINDING, "Role", mine)
    elsewhere = Bundle(cluster, other).apply()
    with account.operator(tmp_path, RAGDEPLOY_WATCH_NAMESPACES=mine):
        docs = Bundle(cluster, mine).apply().wait_children()
        docs.run()
        assert elsewhere.get().get("status") is None


def unready(operator):
    return operator.http.get("/readyz").text
