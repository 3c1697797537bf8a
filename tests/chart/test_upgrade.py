"""An upgrade from the chart before keeps what users have, and so does the end of the release."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.conftest import CHART, PREVIOUS, Chart
from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    RAG_DEPLOYMENT,
    Kind,
)

pytestmark = pytest.mark.controlplane

NAMESPACE = "ragdeploy-system"


@pytest.fixture
def empty_cluster() -> Iterator[ControlPlane]:
    """A control plane where nothing has been installed."""
    with ControlPlane.start() as cluster:
        yield cluster


def uids(cluster: ControlPlane, objects: list[Object]) -> dict[tuple[str, str], str]:
    """What tells an object that was changed from one that was made anew."""
    return {
        (item["kind"], item["metadata"]["name"]): cluster.api.get(
            Kind(item["apiVersion"], item["kind"]),
            item["metadata"]["name"],
            namespace=item["metadata"].get("namespace", NAMESPACE),
        )["metadata"]["uid"]
        for item in objects
    }


def test_an_upgrade_and_an_uninstall_keep_every_resource(
    chart: Chart, empty_cluster: ControlPlane
) -> None:
    cluster = empty_cluster

    def helm(verb: str, *arguments: str | Path) -> None:
        where = (f"--kubeconfig={cluster.kubeconfig}", f"--namespace={NAMESPACE}")
        command = [chart.helm, verb, "ragdeploy", *arguments, *where]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def resource() -> Object:
        return cluster.api.get(RAG_DEPLOYMENT, "docs", namespace="default")

    def definition() -> Object:
        return cluster.api.get(CUSTOM_RESOURCE_DEFINITION, "ragdeployments.ragdeploy.io")

    helm("install", PREVIOUS, "--create-namespace")
    cluster.api.wait_served(definition())
    spec = {"api": {"replicas": 2}, "retrieval": {"topK": 4}}
    cluster.api.apply(
        {
            "apiVersion": RAG_DEPLOYMENT.api_version,
            "kind": RAG_DEPLOYMENT.kind,
            "metadata": {"name": "docs"},
            "spec": spec,
        },
        namespace="default",
    )
    old, before = resource(), chart.objects(chart=PREVIOUS)
    old_uids = uids(cluster, before)

    helm("upgrade", CHART)
    assert uids(cluster, before) == old_uids  # nothing was taken away, or made anew
    new = resource()
    assert new["metadata"]["uid"] == old["metadata"]["uid"]
    assert new["spec"]["retrieval"]["topK"] == 4
    columns = definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert "Documents" in {column["name"] for column in columns}  # which the one before had not

    helm("uninstall")
    assert cluster.api.list(DEPLOYMENT, namespace=NAMESPACE) == []
    assert resource()["metadata"] == new["metadata"]
