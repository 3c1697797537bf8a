"""Hold every manifest against the schemas of the oldest Kubernetes and of the newest.

Usage: python -m tools.schemas KUBERNETES-VALIDATE...

That is the chart, what the operator makes of the examples, ``manifests/`` and ``examples/``. The
tests apply them too, but to one version. The arguments are the command that runs
kubernetes-validate, which brings the schemas along; resources of other projects have none there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from ragdeploy_operator.build import Manifest
from tools.chart import CHART
from tools.rendered import ROOT, write_chart, write_children

NEWEST = 37
"""The minor version that was released last. What it does not have was removed from Kubernetes."""

_OTHERS = {"gateway.networking.k8s.io", "kustomize.config.k8s.io"}
"""Groups that sound as if they were Kubernetes' own."""


def main() -> None:
    """Check; ends with 1 if a manifest does not fit."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_chart(folder)
        write_children(folder)
        there = [
            *_manifests(folder),
            *_manifests(ROOT / "manifests"),
            *_manifests(ROOT / "examples"),
        ]
        own = folder / "kubernetes.yaml"
        own.write_text(yaml.safe_dump_all([one for one in there if _is_kubernetes(one)]))
        fits = [_fits(own, minor) for minor in (_oldest(), NEWEST)]
    sys.exit(not all(fits))


def _fits(file: Path, minor: int) -> bool:
    """Whether nothing is said of a file; what is said goes to the terminal."""
    options = ("--strict", "--quiet", f"--kubernetes-version=1.{minor}")
    done = subprocess.run(
        [*sys.argv[1:], *options, file], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr  # a kind that it does not know is a warning, and no error
    print(said, end="")
    return not said and done.returncode == 0


def _manifests(folder: Path) -> Iterator[Manifest]:
    for file in sorted(folder.rglob("*.yaml")):
        yield from filter(None, yaml.safe_load_all(file.read_text()))


def _is_kubernetes(manifest: Manifest) -> bool:
    group = manifest["apiVersion"].rpartition("/")[0]
    return group not in _OTHERS and ("." not in group or group.endswith(".k8s.io"))


def _oldest() -> int:
    """The minor version that the chart asks for at least."""
    chart = yaml.safe_load((ROOT / CHART / "Chart.yaml").read_text())
    found = re.match(r">=1\.(\d+)\.", chart["kubeVersion"])
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    main()
