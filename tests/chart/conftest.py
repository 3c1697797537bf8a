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


class HelmRefused(Exception):
    """helm ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Chart:
    """The chart as the release ``ragdeploy`` in the namespace ``ragdeploy-system``."""

    helm: Path

    def text(self, *arguments: str) -> str:
        """Render it as YAML.

        Raises:
            HelmRefused: the values are wrong.
        """
        return self._run("template", *arguments)

    def objects(self, *arguments: str) -> list[Object]:
        """Render it as objects."""
        return [found for found in yaml.safe_load_all(self.text(*arguments)) if found]

    def one(self, kind: str, *arguments: str) -> Object:
        """Render it and return the only object of a kind."""
        (found,) = [each for each in self.objects(*arguments) if each["kind"] == kind]
        return found

    def notes(self, *arguments: str) -> str:
        """Return what a person reads after the installation."""
        return self._run("install", "--dry-run=client", *arguments).partition("NOTES:\n")[2]

    def _run(self, verb: str, *arguments: str) -> str:
        command = [
            str(self.helm),
            verb,
            "ragdeploy",
            str(CHART),
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
