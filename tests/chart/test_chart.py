"""What the chart makes of its values, where it must fit the operator's code.

The chart's own tests are those of helm-unittest, in ``charts/ragdeploy-operator/tests/``.
"""

from __future__ import annotations

import yaml

from ragdeploy_operator.settings import OperatorSettings
from tests.chart.conftest import CHART, Chart
from tests.controlplane.api import Object
from tests.operator.unit.resources import children

CRD = (CHART.parents[1] / "manifests/crd/ragdeploy.io_ragdeployments.yaml").read_text()
NAMESPACED = ("--values", str(CHART / "ci/namespaced-values.yaml"))
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"}


def container(deployment: Object) -> Object:
    found: Object = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def environment(chart: Chart, *arguments: str) -> dict[str, str]:
    variables = container(chart.one("Deployment", *arguments))["env"]
    return {each["name"]: each.get("value", "") for each in variables}


def test_the_operator_reads_every_variable_that_is_set(chart: Chart) -> None:
    known = {f"RAGDEPLOY_{name}".upper() for name in OperatorSettings.model_fields}
    assert set(environment(chart)) <= known


def test_the_chart_and_the_operator_have_the_same_defaults(chart: Chart) -> None:
    ours = OperatorSettings()
    theirs = environment(chart)
    for field in ("service_image", "redis_image", "milvus_image", "log_level", "log_format"):
        assert theirs[f"RAGDEPLOY_{field}".upper()] == str(getattr(ours, field))
    assert "RAGDEPLOY_WATCH_NAMESPACES" not in theirs
    assert ours.watch_namespaces == ()
    assert container(chart.one("Deployment"))["ports"][0]["containerPort"] == ours.http_port


def test_without_the_cluster_nothing_needs_rights_on_it(chart: Chart) -> None:
    kinds = {each["kind"] for each in chart.objects(*NAMESPACED)}
    assert not kinds & CLUSTER_SCOPED
    assert environment(chart, *NAMESPACED)["RAGDEPLOY_WATCH_NAMESPACES"] == "team-a,team-b"


def test_the_definition_is_the_generated_one_to_the_byte(chart: Chart) -> None:
    assert CRD in chart.text("--set", "crds.keep=false")


def test_the_definition_that_is_kept_differs_by_that_alone(chart: Chart) -> None:
    kept = chart.one("CustomResourceDefinition")
    del kept["metadata"]["annotations"]
    assert kept == yaml.safe_load(CRD)


def test_a_network_policy_lets_through_what_the_operator_does_and_nothing_else(
    chart: Chart,
) -> None:
    assert "NetworkPolicy" not in {each["kind"] for each in chart.objects()}  # as plugins differ
    own_port = ("--set", "networkPolicy.enabled=true,networkPolicy.apiServerPorts={16443}")
    policy = chart.one("NetworkPolicy", *own_port)["spec"]
    labels = chart.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["http"]
    names, api_server, applications = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert api_server == {"ports": [{"port": 16443, "protocol": "TCP"}]}
    api = children().pod_templates["docs-api"]
    [peer] = applications["to"]
    assert peer["podSelector"]["matchLabels"].items() <= api["metadata"]["labels"].items()
    [container] = api["spec"]["containers"]
    numbers = {port["containerPort"] for port in container["ports"]}
    assert {port["port"] for port in applications["ports"]} == numbers
