"""Builds a program that the Makefile needs and this machine lacks, from a pinned Go module.

Usage: python -m tools.build [helm | helm-tool | helm-unittest | kind | kubectl]

The versions stand in three modules, so that their libraries do not fight:
``tools/go.mod``, ``tools/kubectl/go.mod`` (kubectl may be one minor version
away from the cluster, and helm's libraries are ahead of it) and
``tools/helm-unittest/go.mod`` (it replaces a library by a fork). Helm is
version 4: version 3 gets security fixes only, until February 2027. The chart
works with both; helm-unittest renders it with version 3.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from tests.controlplane.binaries import cache_folder, say_on_stderr
from tests.controlplane.golang import GoMissing, find_go, run_go

TOOLS = Path(__file__).parent
BIN = TOOLS.parent / "bin"


@dataclass(frozen=True)
class Program:
    """A Go program: its package, the module that pins it, and where its version is stamped."""

    package: str
    module: Path = TOOLS
    pinned_by: str = ""
    stamp: str = ""

    def linker_flags(self) -> str:
        """Without a stamp helm and kubectl do not know their own version."""
        # Kubernetes publishes the libraries of v1.35.4 as v0.35.4.
        pin = re.search(
            rf"^\t(?:require )?{re.escape(self.pinned_by)} (v\S+)",
            (self.module / "go.mod").read_text(),
            re.MULTILINE,
        )
        return (
            f"-s -w -X {self.stamp}={pin[1].replace('v0.', 'v1.')}"
            if self.stamp and pin
            else "-s -w"
        )


PROGRAMS = {
    "helm": Program(
        package="helm.sh/helm/v4/cmd/helm",
        pinned_by="helm.sh/helm/v4",
        stamp="helm.sh/helm/v4/internal/version.version",
    ),
    "helm-tool": Program(package="github.com/cert-manager/helm-tool"),
    "helm-unittest": Program(
        package="github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
        module=TOOLS / "helm-unittest",
    ),
    "kind": Program(package="sigs.k8s.io/kind"),
    "kubectl": Program(
        package=".",
        module=TOOLS / "kubectl",
        pinned_by="k8s.io/kubectl",
        stamp="k8s.io/component-base/version.gitVersion",
    ),
}


def build(name: str, *, to: Path) -> Path:
    """Build a program into the folder ``to``.

    Raises:
        GoMissing: there is no Go toolchain, and none can be installed.
        CalledProcessError: the build failed; its output was passed through.
    """
    program = PROGRAMS[name]
    target = to / name
    to.mkdir(parents=True, exist_ok=True)
    go = find_go(program.module / "go.mod", cache=cache_folder(), say=say_on_stderr)
    say_on_stderr(f"building {name} into {target}, once (one to three minutes on two cores)")
    started = time.monotonic()
    arguments = ["build", "-ldflags", program.linker_flags(), "-o", str(target), program.package]
    run_go(go, arguments, cwd=program.module)
    os.utime(target)  # go leaves an old time on a program it did not have to link again
    say_on_stderr(f"built {name} in {time.monotonic() - started:.0f} s")
    return target


def find(name: str) -> Path:
    """The program that is on PATH or was built before, or else build it now.

    Raises:
        As ``build``.
    """
    if on_path := shutil.which(name):
        return Path(on_path)
    built = BIN / name
    return built if built.exists() else build(name, to=BIN)


def main() -> None:
    """Build the program that the command line names."""
    if len(sys.argv) != 2 or sys.argv[1] not in PROGRAMS:
        sys.exit(f"Usage: python -m tools.build [{' | '.join(PROGRAMS)}]")
    try:
        build(sys.argv[1], to=BIN)
    except (GoMissing, CalledProcessError) as error:
        sys.exit(f"{sys.argv[1]} is not on PATH and cannot be built: {error}")


if __name__ == "__main__":
    main()
