"""The operator's process is killed after each of its writes: the end is the same."""

from itertools import count
from secrets import token_hex

import pytest

from tests.operator.bundle import Bundle
from tests.operator.oracle import faults
from tests.operator.running import RunningOperator
from tests.support.cutting_proxy import CuttingProxy
from tests.support.operator import ACCOUNT, NAMESPACE
from tests.support.waiting import eventually

FEW = {"vectorStore": {"external": {"uri": "http://milvus:19530"}}}
"""A spec with fewer children: the operator is started once for each write of it."""
EDIT = FEW | {"retrieval": {"topK": 7}, "network": {"networkPolicy": {"enabled": False}}}


def writes(namespace):
    """Says which requests change something of an application."""

    def counts(method, path):
        inside = f"/namespaces/{namespace}/" in path
        return inside and method != "GET" and not path.endswith(("/events", "/leases"))

    return counts


def killed_after(cluster, folder, bundle, number):
    """Run an operator for one namespace until its write number so and so; whether it came to it."""
    killed = []

    def kill():
        killed.append(True)
        operator.process.kill()

    proxy = CuttingProxy(
        cluster.server,
        cluster.credentials.ca,
        counts=writes(bundle.namespace),
        last=number,
        on_cut=kill,
    )
    with proxy:
        kubeconfig = cluster.credentials.write_kubeconfig(
            folder / f"{bundle.namespace}-{number}",
            server=proxy.url,
            token=cluster.service_account_token(NAMESPACE, ACCOUNT),
        )
        settings = {
            "KUBECONFIG": str(kubeconfig),
            "RAGDEPLOY_WATCH_NAMESPACES": bundle.namespace,
            # one that no operator before it holds
            "RAGDEPLOY_LEASE_NAME": f"lease-{token_hex(4)}",
        }
        operator = RunningOperator(cluster, folder=folder, settings=settings)
        operator.process.start()
        try:
            eventually(
                lambda: killed or (proxy.calls and not list(faults(bundle))),
                what=f"write {number}, or the end of all writes",
                timeout=60,
            )
        finally:
            operator.process.kill()
    return bool(killed)


def made_good(cluster, folder, bundles):
    """Let one operator that is not killed go on from where the others were."""
    with RunningOperator(cluster, folder=folder) as operator:
        operator.wait_leading()
        for bundle in bundles:
            eventually(lambda: not list(faults(bundle)), what="children as built")  # noqa: B023
        operator.wait_idle()
    for bundle in bundles:
        found = bundle.get()
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        assert bundle.condition("Stalled")["status"] == "False"


@pytest.mark.behaviour(38)
def test_a_process_that_is_killed_after_any_of_its_writes_is_followed_by_one_that_ends_it(
    cluster, tmp_path
):
    bundles = []
    for number in count(1):
        bundles.append(Bundle(cluster, cluster.create_namespace(), "docs").apply(**FEW))
        if not killed_after(cluster, tmp_path, bundles[-1], number):
            break
    assert len(bundles) > 5
    assert any(list(faults(bundle)) for bundle in bundles)  # or nothing was cut short
    made_good(cluster, tmp_path, bundles)

    for number, bundle in enumerate(bundles, start=1):
        bundle.apply(**EDIT)
        if not killed_after(cluster, tmp_path, bundle, number):
            break
    assert number > 3
    assert any(list(faults(bundle)) for bundle in bundles[: number - 1])
    for bundle in bundles:
        bundle.apply(**EDIT)
    made_good(cluster, tmp_path, bundles)
    for bundle in bundles:
        cluster.delete_namespace(bundle.namespace)
