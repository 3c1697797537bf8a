"""skaffold.yaml against what it speaks of: skaffold itself would notice only when it runs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.chart.conftest import CHART, Chart

ROOT = CHART.parents[1]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
RELEASE = CONFIG["deploy"]["helm"]["releases"][0]


def patches(profile: str) -> dict[str, Any]:
    """Return what a profile adds, by its path."""
    (found,) = [each for each in CONFIG["profiles"] if each["name"] == profile]
    return {patch["path"]: patch["value"] for patch in found["patches"]}


def test_every_dockerfile_is_there() -> None:
    for artifact in CONFIG["build"]["artifacts"]:
        assert (ROOT / artifact["context"] / artifact["docker"]["dockerfile"]).is_file()
    assert (ROOT / RELEASE["chartPath"]).samefile(CHART)


@pytest.mark.parametrize("profile", ["kind", "dev"])
def test_the_chart_takes_all_values_of_each_profile(chart: Chart, profile: str) -> None:
    set_values = "/deploy/helm/releases/0/setValues/"
    values = dict(RELEASE["setValues"])
    values |= dict.fromkeys(RELEASE["setValueTemplates"], "image")
    values |= {
        path.removeprefix(set_values): value
        for path, value in patches(profile).items()
        if path.startswith(set_values)
    }
    chart.text(*(f"--set={name}={value}" for name, value in values.items()))


def test_the_built_images_are_what_is_deployed(chart: Chart) -> None:
    built = {"operator": "ragdeploy/operator", "service": "ragdeploy/service"}
    assert {artifact["image"] for artifact in CONFIG["build"]["artifacts"]} == set(built.values())
    variables = {
        "{{.IMAGE_REPO_ragdeploy_operator}}": built["operator"],
        "{{.IMAGE_TAG_ragdeploy_operator}}": "abc",
        "{{.IMAGE_FULLY_QUALIFIED_ragdeploy_service}}": f"{built['service']}:def",
    }
    values = RELEASE["setValues"] | {
        name: variables[template] for name, template in RELEASE["setValueTemplates"].items()
    }
    deployment = chart.one("Deployment", *(f"--set={name}={v}" for name, v in values.items()))
    operator = deployment["spec"]["template"]["spec"]["containers"][0]
    assert operator["image"] == "ragdeploy/operator:abc"
    assert {"name": "RAGDEPLOY_SERVICE_IMAGE", "value": "ragdeploy/service:def"} in operator["env"]
