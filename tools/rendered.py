"""What people apply, and what the operator makes of it, as files for checkers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

from ragdeploy_operator.api import KIND
from tests.operator.unit.resources import children
from tools.build import find
from tools.chart import CHART

ROOT = Path(__file__).parents[1]


def write_chart(folder: Path, *options: str) -> None:
    """Write what the chart makes of its defaults, and of all that can be switched on.

    Args:
        folder: It gets a file for each.
        options: More of ``helm template``.

    Raises:
        As ``tools.build.find`` for helm.
    """
    everything = ROOT / CHART / "ci/everything-values.yaml"
    for name, values in {
        "chart": "--set=networkPolicy.enabled=true",
        "chart-everything": f"--values={everything}",
    }.items():
        where = "--namespace=ragdeploy-system"
        command: list[str | Path] = [
            find("helm"),
            "template",
            "ragdeploy",
            ROOT / CHART,
            where,
            values,
            *options,
        ]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        (folder / f"{name}.yaml").write_text(text)


def write_children(folder: Path) -> None:
    """Write what the operator makes of each example."""
    for name, spec in _examples():
        made = children(spec, name=name).manifests
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(made))


def _examples() -> Iterator[tuple[str, dict[str, object]]]:
    """Names and specs of the RagDeployments in ``examples/``."""
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        for found in yaml.safe_load_all(path.read_text()):
            if found and found["kind"] == KIND:
                yield path.stem, found.get("spec", {})
