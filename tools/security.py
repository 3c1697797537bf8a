"""Have checkov look at both images, the chart, and what the operator makes of the examples.

Usage: python -m tools.security CHECKOV...

The arguments are the command that runs checkov. Needs ``helm`` on PATH or in ``bin/``. What is
not asked, and why, is in ``checkov.yaml``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from ragdeploy_operator.api import KIND
from tests.operator.unit.resources import children
from tools.build import find
from tools.chart import CHART

ROOT = Path(__file__).parents[1]
CONFIG = Path(__file__).with_name("checkov.yaml")
WHERE = ("--namespace=ragdeploy-system",)
DOCKERFILES = ("service/Dockerfile", "operator/Dockerfile")


def write(folder: Path) -> None:
    """Write what is to be looked at into a folder."""
    for name in DOCKERFILES:
        target = folder / name
        target.parent.mkdir()
        target.write_text((ROOT / name).read_text())
    everything = ROOT / CHART / "ci/everything-values.yaml"
    for name, options in {
        "chart": ("--set=networkPolicy.enabled=true",),
        "chart-everything": (f"--values={everything}",),
    }.items():
        command = (find("helm"), "template", "ragdeploy", ROOT / CHART, *WHERE, *options)
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        (folder / f"{name}.yaml").write_text(text)
    for name, spec in examples():
        made = children(spec, name=name).manifests
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(made))


def examples() -> Iterator[tuple[str, dict[str, object]]]:
    """Names and specs of the RagDeployments in ``examples/``."""
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        for found in yaml.safe_load_all(path.read_text()):
            if found and found["kind"] == KIND:
                yield path.stem, found.get("spec", {})


def main() -> None:
    """Check; ends with checkov's exit code."""
    with TemporaryDirectory() as folder:
        write(Path(folder))
        arguments = (f"--config-file={CONFIG}", f"--directory={folder}")
        sys.exit(subprocess.run([*sys.argv[1:], *arguments]).returncode)


if __name__ == "__main__":
    main()
