"""Every right that is shipped is one that the operator uses, so that taking one away is noticed."""

import pytest

from ragdeploy_operator import rbac
from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    MILVUS,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Kind,
)
from tests.operator.bundle import Bundle
from tests.operator.definitions import HTTP_ROUTES, MILVUSES, PROMETHEUS_RULES, SERVICE_MONITORS
from tests.operator.running import RunningOperator
from tests.support.operator import USER
from tests.support.waiting import eventually

STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass")
OTHERS = (HTTP_ROUTES, MILVUSES, PROMETHEUS_RULES, SERVICE_MONITORS)
OFF = {"enabled": False}
MANAGED_BY = "app.kubernetes.io/managed-by"
GROWING = "growing-for-rights"
EVERYTHING = {"network": {"ingress": {}, "gateway": {"parentRefs": [{"name": "edge"}]}}}
NEARLY_NOTHING = {
    "api": {"autoscaling": OFF, "podDisruptionBudget": OFF},
    "auth": OFF,
    "network": {"networkPolicy": OFF},
    "monitoring": {"serviceMonitor": OFF, "prometheusRule": OFF, "dashboard": OFF},
    "vectorStore": {"external": {"uri": "http://milvus.milvus.svc:19530"}},
}

LEFT = {
    (CONFIG_MAP, "cache"),
    (CONFIG_MAP, "config"),
    (DEPLOYMENT, "api"),
    (DEPLOYMENT, "indexer"),
    (SECRET, "cache"),
    (SERVICE, "api"),
    (SERVICE, "cache"),
    (SERVICE_ACCOUNT, "api"),
    (STATEFUL_SET, "cache"),
}

NOT_SEEN = {
    # asked by an admission plugin that this API server does not run, but others do
    ("ragdeploy.io", "ragdeployments/finalizers", "update"),
    # the API cannot be switched off, so that these two go with their owner only
    ("", "serviceaccounts", "delete"),
    ("apps", "deployments", "delete"),
}

NOT_WAITED_FOR = {("events.k8s.io", "events", "patch")}
"""An Event that repeats is written again, but not soon; see behaviour 30."""


@pytest.mark.behaviour(44)
def test_every_right_that_is_shipped_is_used(cluster, tmp_path, namespace):
    for definition in OTHERS:
        cluster.api.define(definition)
    before = cluster.audit.mark()
    try:
        own_lease = {"RAGDEPLOY_LEASE_NAME": "rights-used"}  # to see it made
        with RunningOperator(cluster, folder=tmp_path, settings=own_lease) as operator:
            operator.wait_leading()
            live_a_life(cluster, operator, Bundle(cluster, namespace))
    finally:
        for definition in OTHERS:
            cluster.api.undefine(definition)
    entries = cluster.audit.since(before).by(USER)
    used = {
        (entry.group, entry.path, entry.verb)
        for entry in entries
        if entry.resource and entry.code != 403
    }
    # whoever applies what is not there yet needs the right to create it
    used |= {(e.group, e.path, "create") for e in entries if e.verb == "patch" and e.code == 201}
    shipped = {
        permission
        for rules in (rbac.NAMESPACED, rbac.CLUSTER, rbac.LEASE)
        for rule in rules
        for permission in rule.permissions()
    }
    assert shipped - used - NOT_WAITED_FOR == NOT_SEEN
    assert used <= shipped


def live_a_life(cluster, operator, docs):
    """Make children, repair them, lose their labels, grow a volume, switch parts off."""
    cluster.api.apply(
        {
            "apiVersion": STORAGE_CLASS.api_version,
            "kind": STORAGE_CLASS.kind,
            "metadata": {"name": GROWING},
            "provisioner": "paper.ragdeploy.test",
            "allowVolumeExpansion": True,
        }
    )
    big = Bundle(cluster, docs.namespace, "big")
    big.apply(vectorStore={"managed": {"mode": "cluster"}})
    has_label(cluster, docs.namespace, MILVUS, "big")
    docs.apply(**EVERYTHING, cache=volume("1Gi")).wait_children().run()
    operator.wait_idle()
    for kind, suffix in [*docs.children(), (MILVUS, "")]:
        name = f"docs-{suffix}" if suffix else big.name
        lost = {"metadata": {"labels": {MANAGED_BY: None}}}
        cluster.api.patch(kind, name, lost, namespace=docs.namespace)
        has_label(cluster, docs.namespace, kind, name)
    big.apply(vectorStore={"external": {"uri": "http://milvus.milvus.svc:19530"}}).run()
    cluster.api.wait_gone(MILVUS, "big", namespace=docs.namespace)
    big.delete()
    docs.apply(**EVERYTHING, cache=volume("2Gi"))
    cluster.api.wait_for(
        PERSISTENT_VOLUME_CLAIM,
        "data-docs-cache-0",
        lambda claim: claim["spec"]["resources"]["requests"]["storage"] == "2Gi",
        namespace=docs.namespace,
    )
    docs.apply(**NEARLY_NOTHING, cache=volume("2Gi"))

    def left():
        assert docs.children().keys() == LEFT
        return True

    eventually(left, what="all that is switched off to go", timeout=60)
    operator.wait_idle()


def has_label(cluster, namespace, kind, name):
    cluster.api.wait_for(
        kind, name, lambda found: MANAGED_BY in found["metadata"]["labels"], namespace=namespace
    )


def volume(size):
    return {"managed": {"storage": {"size": size, "className": GROWING}}}
