"""Overlays: each builds, says what it is for, and asks for nothing that its base does not have."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.build import find

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "examples" / "kustomize"

Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def kubectl() -> Path:
    return find("kubectl")


def built(kubectl: Path, folder: Path) -> Objects:
    done = subprocess.run(
        [kubectl, "kustomize", folder], check=True, capture_output=True, text=True
    )
    assert not done.stderr, done.stderr  # kustomize warns of what it will not take any more
    found = yaml.safe_load_all(done.stdout)
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in found}


def container(objects: Objects) -> dict[str, Any]:
    pod = objects["Deployment", "ragdeploy-operator"]["spec"]["template"]["spec"]
    [only] = pod["containers"]
    return dict(only)


def environment(objects: Objects) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(objects)["env"]}


def test_all_overlays_have_a_test() -> None:
    assert {folder.name for folder in OVERLAYS.iterdir()} == {
        "dev",
        "kind",
        "namespaced",
        "production",
    }


def test_the_base_is_what_is_applied_without_kustomize(kubectl: Path) -> None:
    plain = yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text())
    names = {(obj["kind"], obj["metadata"]["name"]) for obj in plain}
    assert built(kubectl, ROOT / "manifests").keys() == names


def test_dev_tells_more(kubectl: Path) -> None:
    dev = built(kubectl, OVERLAYS / "dev")
    assert dev["Deployment", "ragdeploy-operator"]["spec"]["replicas"] == 1
    assert environment(dev)["RAGDEPLOY_LOG_LEVEL"] == "DEBUG"
    base = environment(built(kubectl, ROOT / "manifests"))
    assert base.keys() == environment(dev).keys()  # no variable that nobody reads


def test_kind_runs_what_make_images_builds(kubectl: Path) -> None:
    kind = built(kubectl, OVERLAYS / "kind")
    assert container(kind)["image"] == "ragdeploy/operator:dev"
    assert environment(kind)["RAGDEPLOY_SERVICE_IMAGE"] == "ragdeploy/service:dev"
    assert "SERVICE_IMAGE ?= ragdeploy/service:dev\n" in (ROOT / "Makefile").read_text()


def test_production_takes_nothing_from_the_public(kubectl: Path) -> None:
    production = built(kubectl, OVERLAYS / "production")
    images = [container(production)["image"]] + [
        value for name, value in environment(production).items() if name.endswith("_IMAGE")
    ]
    assert len(images) == 4
    assert all(image.startswith("registry.example.com/") for image in images)


def test_a_namespaced_operator_needs_and_sees_nothing_outside(kubectl: Path) -> None:
    namespaced = built(kubectl, OVERLAYS / "namespaced")
    assert {obj["metadata"].get("namespace") for obj in namespaced.values()} == {"team-a"}
    assert not {kind for kind, _ in namespaced} & {"ClusterRole", "ClusterRoleBinding"}
    assert environment(namespaced)["RAGDEPLOY_WATCH_NAMESPACES"] == "team-a"
    subjects = namespaced["RoleBinding", "ragdeploy-operator"]["subjects"]
    assert [subject["namespace"] for subject in subjects] == ["team-a"]
