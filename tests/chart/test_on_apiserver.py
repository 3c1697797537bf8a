"""A real API server takes what the chart makes, in every mode."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.chart.conftest import CHART, Chart
from tests.controlplane import ControlPlane
from tests.controlplane.api import APPLY_PATCH, STRICT, ApiError, Object
from tests.controlplane.kinds import RAG_DEPLOYMENT, Kind

pytestmark = pytest.mark.controlplane

MODES = {
    "defaults": (),
    **{path.stem: ("--values", str(path)) for path in CHART.glob("ci/*.yaml")},
}


def rehearse(control_plane: ControlPlane, manifest: Object, *, namespace: str) -> None:
    """Apply without keeping it; a field that the API does not know is an error."""
    kind = Kind(manifest["apiVersion"], manifest["kind"])
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
    control_plane.api.request(
        "PATCH",
        control_plane.api.path(kind, metadata["name"], namespace=namespace),
        query={"dryRun": "All", "fieldManager": "tests", "force": "true"} | STRICT,
        body=manifest | {"metadata": metadata},
        content_type=APPLY_PATCH,
    )


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_taken(
    chart: Chart, cluster: ControlPlane, namespace: str, mode: str
) -> None:
    for manifest in chart.objects(*MODES[mode]):
        if manifest["kind"] != "ServiceMonitor":  # a kind of the Prometheus Operator
            rehearse(cluster, manifest, namespace=namespace)


def test_an_unknown_field_would_have_been_noticed(
    chart: Chart, cluster: ControlPlane, namespace: str
) -> None:
    deployment = chart.one("Deployment")
    deployment["spec"]["template"]["spec"]["tolerance"] = []
    with pytest.raises(ApiError, match="tolerance"):
        rehearse(cluster, deployment, namespace=namespace)


def test_the_pods_are_admitted_where_only_restricted_ones_are(
    chart: Chart, cluster: ControlPlane, namespace: str
) -> None:
    restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.api.patch(Kind("v1", "Namespace"), namespace, restricted)
    cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "ragdeploy-operator", "namespace": namespace},
        }
    )
    template = chart.one("Deployment")["spec"]["template"]
    pod: Object = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"] = {"name": "operator"}
    rehearse(cluster, pod, namespace=namespace)

    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(ApiError, match="restricted"):
        rehearse(cluster, pod, namespace=namespace)


def test_the_resource_in_the_notes_can_be_applied_as_it_is(
    chart: Chart, cluster: ControlPlane, namespace: str
) -> None:
    found = re.search(r"<<'YAML'\n(.*?)\n +YAML\n", chart.notes(), re.DOTALL)
    assert found
    resource = yaml.safe_load(found[1])
    cluster.api.apply(resource, namespace=namespace)
    name = resource["metadata"]["name"]
    assert cluster.api.get(RAG_DEPLOYMENT, name, namespace=namespace)["spec"]["auth"]["enabled"]
