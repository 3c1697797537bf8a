"""Every example can be applied, and an application comes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ragdeploy_operator.api import RagDeployment
from tests.operator.unit.apiserver import ApiServer
from tests.operator.unit.resources import Json, children

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(ROOT.glob("examples/*.yaml"))


def resources(file: Path) -> list[Json]:
    documents = [d for d in yaml.safe_load_all(file.read_text()) if d]
    return [d for d in documents if d["kind"] == "RagDeployment"]


def test_there_are_examples() -> None:
    assert {file.name for file in EXAMPLES} >= {"minimal.yaml", "production.yaml"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_accepted_without_a_warning(
    file: Path, apiserver: ApiServer, namespace: str
) -> None:
    for resource in resources(file):
        stored = apiserver.try_apply(resource, namespace=namespace)
        assert apiserver.warnings == []
        RagDeployment.parse(stored)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_becomes_an_application(file: Path) -> None:
    for resource in resources(file):
        built = children(resource["spec"], name=resource["metadata"]["name"])
        assert ("Deployment", "docs-api") in built


def test_the_readme_shows_the_minimal_example() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    shown = [d for block in blocks for d in yaml.safe_load_all(block)]
    (resource,) = [d for d in shown if d["kind"] == "RagDeployment"]
    assert [resource] == resources(ROOT / "examples/minimal.yaml")
