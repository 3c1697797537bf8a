"""What the chart makes of its values."""

from __future__ import annotations

import re

import pytest
import yaml

from ragdeploy_operator.settings import OperatorSettings
from tests.chart.conftest import CHART, Chart, HelmRefused
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


def test_a_misspelt_value_is_refused_by_name(chart: Chart) -> None:
    with pytest.raises(HelmRefused, match="replcas"):
        chart.text("--set", "replcas=3")
    with pytest.raises(HelmRefused, match="enable'"):
        chart.text("--set", "metrics.serviceMonitor.enable=true")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("logFormat=xml", 'logFormat is "xml"; it must be one of json, text'),
        ("logLevel=info", "it must be one of DEBUG, INFO, WARNING, ERROR"),
        ("image.pullPolicy=Sometimes", "it must be one of IfNotPresent, Always, Never"),
        ("watchNamespaces={a}", "watchNamespaces has no effect while clusterWide is true"),
        ("serviceAccount.create=false", "serviceAccount.name is needed"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(chart: Chart, value: str, words: str) -> None:
    with pytest.raises(HelmRefused, match=re.escape(words)):
        chart.text("--set", value)


def test_a_digest_wins_over_a_tag(chart: Chart) -> None:
    values = ("--set", "image.tag=v9", "--set", "image.digest=sha256:abc")
    image = container(chart.one("Deployment", *values))["image"]
    assert image == "ghcr.io/ragdeploy/operator@sha256:abc"
    image = container(chart.one("Deployment", "--set", "image.registry="))["image"]
    assert image == "ragdeploy/operator:0.1.0"


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


def test_without_names_the_releases_own_namespace_is_looked_after(chart: Chart) -> None:
    found = environment(chart, "--set", "clusterWide=false")
    assert found["RAGDEPLOY_WATCH_NAMESPACES"] == "ragdeploy-system"


def test_the_definition_is_the_generated_one_to_the_byte(chart: Chart) -> None:
    assert CRD in chart.text("--set", "crds.keep=false")


def test_uninstalling_keeps_the_definition_and_so_all_resources(chart: Chart) -> None:
    kept = chart.one("CustomResourceDefinition")
    assert kept["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert kept == yaml.safe_load(CRD)


def test_one_replica_has_no_budget_that_would_block_a_drain(chart: Chart) -> None:
    kinds = {each["kind"] for each in chart.objects("--set", "replicas=1")}
    assert "PodDisruptionBudget" not in kinds
    assert chart.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


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
