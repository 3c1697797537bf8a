"""The chart, rendered by helm."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.controlplane.api import Object
from tools.build import find

CHART = Path(__file__).parents[2] / "charts/ragdeploy-operator"
PREVIOUS = Path(__file__).with_name("previous") / "ragdeploy-operator-0.1.0.tgz"
"""The chart before the last change of its CustomResourceDefinition, as ``helm package`` made it.

Renew it with each release.
"""


class HelmRefused(Exception):
    """helm ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Chart:
    """The chart as the release ``ragdeploy`` in the namespace ``ragdeploy-system``."""

    helm: Path

    def text(self, *arguments: str, chart: Path = CHART) -> str:
        """Render it as YAML.

        Raises:
            HelmRefused: the values are wrong.
        """
        return self._run("template", *arguments, chart=chart)

    def objects(self, *arguments: str, chart: Path = CHART) -> list[Object]:
        """Render it, or another, as objects."""
        text = self.text(*arguments, chart=chart)
        return [found for found in yaml.safe_load_all(text) if found]

    def one(self, kind: str, *arguments: str) -> Object:
        """Render it and return the only object of a kind."""
        (found,) = [each for each in self.objects(*arguments) if each["kind"] == kind]
        return found

    def notes(self, *arguments: str) -> str:
        """Return what a person reads after the installation."""
        return self._run("install", "--dry-run=client", *arguments).partition("NOTES:\n")[2]

    def _run(self, verb: str, *arguments: str, chart: Path = CHART) -> str:
        command = [
            str(self.helm),
            verb,
            "ragdeploy",
            str(chart),
            "--namespace=ragdeploy-system",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise HelmRefused(done.stderr)
        return done.stdout


@pytest.fixture(scope="session")
def chart() -> Chart:
    return Chart(find("helm"))
