"""GitOps: what Argo CD shows, and that the examples fit what they refer to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.argocd import health

ROOT = Path(__file__).parents[2]
GITOPS = ROOT / "examples" / "gitops"


def resource(
    *conditions: tuple[str, str], generation: int = 2, observed: int = 2, **metadata: Any
) -> dict[str, Any]:
    told = [
        {"type": kind, "status": status, "message": f"{kind} is {status}."}
        for kind, status in conditions
    ]
    return {
        "metadata": {"generation": generation, **metadata},
        "status": {"observedGeneration": observed, "conditions": told},
    }


CALM = (("Stalled", "False"), ("Reconciling", "False"))


@pytest.mark.parametrize(
    ("shown", "obj"),
    [
        (("Progressing", "Waiting for the operator to look at it."), {"metadata": {}}),
        (
            ("Progressing", "Waiting for the operator to look at it."),
            {"metadata": {"generation": 1}, "status": {}},
        ),
        (
            ("Progressing", "Waiting for the operator to look at the latest edit."),
            resource(("Ready", "True"), *CALM, generation=3),
        ),
        (
            ("Progressing", "Reconciling is True."),
            resource(("Ready", "True"), ("Reconciling", "True"), ("Stalled", "False")),
        ),
        (("Healthy", "Ready is True."), resource(("Ready", "True"), *CALM)),
        (("Degraded", "Ready is False."), resource(("Ready", "False"), *CALM)),
        (
            ("Degraded", "Stalled is True."),
            resource(("Ready", "True"), ("Stalled", "True"), ("Reconciling", "False")),
        ),
        (
            ("Suspended", "Suspended is True."),
            resource(("Ready", "False"), ("Suspended", "True"), *CALM),
        ),
        (
            ("Progressing", "Reconciling is True."),
            resource(("Suspended", "False"), ("Reconciling", "True")),
        ),
        (
            ("Suspended", "Paused is True."),
            resource(("Paused", "True"), annotations={"ragdeploy.io/paused": "true"}),
        ),
    ],
)
def test_argo_cd_shows_how_it_is(shown: tuple[str, str], obj: dict[str, Any]) -> None:
    assert health(obj) == shown


def documents(path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((GITOPS / path).read_text()))


def test_argo_cd_makes_the_operator_before_what_it_looks_after() -> None:
    operator, docs = documents("argocd/applications.yaml")
    [app] = documents("app/ragdeployment.yaml")
    waves = [
        int(obj["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for obj in (operator, docs, app)
    ]
    assert waves == sorted(waves)
    assert waves[0] < waves[1]
    assert (ROOT / docs["spec"]["source"]["path"] / "ragdeployment.yaml").exists()
    assert docs["spec"]["destination"]["namespace"] == app["metadata"]["namespace"]
    assert "ServerSideApply=true" in operator["spec"]["syncPolicy"]["syncOptions"]


def test_the_examples_install_the_chart_that_is_here() -> None:
    chart = yaml.safe_load((ROOT / "charts" / "ragdeploy-operator" / "Chart.yaml").read_text())
    operator, _ = documents("argocd/applications.yaml")
    assert operator["spec"]["source"]["chart"] == chart["name"]
    assert operator["spec"]["source"]["targetRevision"] == chart["version"]
    values = yaml.safe_load((ROOT / "charts" / "ragdeploy-operator" / "values.yaml").read_text())
    for section, given in operator["spec"]["source"]["helm"]["valuesObject"].items():
        assert set(given) <= set(values[section])
    _, source, release = documents("flux/operator.yaml")
    assert source["spec"]["url"].rpartition("/")[2] == chart["name"]
    assert release["spec"]["chartRef"]["name"] == source["metadata"]["name"]


def test_flux_waits_for_what_it_applies() -> None:
    source, docs = documents("flux/docs.yaml")
    assert docs["spec"]["wait"] is True
    assert docs["spec"]["sourceRef"]["name"] == source["metadata"]["name"]
    assert (ROOT / docs["spec"]["path"] / "ragdeployment.yaml").exists()
