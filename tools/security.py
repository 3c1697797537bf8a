"""Have checkov look at both images, the chart, and what the operator makes of the examples.

Usage: python -m tools.security CHECKOV...

The arguments are the command that runs checkov. Needs ``helm`` on PATH or in ``bin/``. What is
not asked, and why, is in ``checkov.yaml``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.rendered import ROOT, write_chart, write_children

CONFIG = Path(__file__).with_name("checkov.yaml")
DOCKERFILES = ("service/Dockerfile", "operator/Dockerfile")


def write(folder: Path) -> None:
    """Write what is to be looked at into a folder."""
    for name in DOCKERFILES:
        target = folder / name
        target.parent.mkdir()
        target.write_text((ROOT / name).read_text())
    write_chart(folder, "--skip-tests")  # a pod that lives for seconds has no policy of its own
    write_children(folder)


def main() -> None:
    """Check; ends with checkov's exit code."""
    with TemporaryDirectory() as folder:
        write(Path(folder))
        arguments = (f"--config-file={CONFIG}", f"--directory={folder}")
        sys.exit(subprocess.run([*sys.argv[1:], *arguments]).returncode)


if __name__ == "__main__":
    main()
