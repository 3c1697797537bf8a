"""Where kube-apiserver, kube-controller-manager and etcd come from.

In this order: the folder in ``KUBEBUILDER_ASSETS``, ``PATH``, a build of the
Go module in ``gomod/`` from an earlier run, a build now. envtest's own archives
lack the controller-manager, without which no Deployment gets a pod, so they
alone are not enough. All three come from one place, so that they fit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from tempfile import mkdtemp

from tests.controlplane.golang import GoMissing, find_go, run_go

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "etcd")
KUBERNETES = "v1.35.4"
MODULE = Path(__file__).with_name("gomod")

Say = Callable[[str], None]


class BinariesMissing(Exception):
    """No control plane can be had on this machine; says what would help."""


@dataclass(frozen=True)
class Binaries:
    """The three programs of a control plane without nodes."""

    folder: Path

    @property
    def apiserver(self) -> Path:
        return self.folder / "kube-apiserver"

    @property
    def controller_manager(self) -> Path:
        return self.folder / "kube-controller-manager"

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"


def say_on_stderr(line: str) -> None:
    """Tell a person what takes so long."""
    print(line, file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Where builds are kept, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ragdeploy"


def find_binaries(say: Say = say_on_stderr) -> Binaries:
    """The three programs, built now if this machine has them nowhere.

    Args:
        say: Receives one line for each thing that takes long.

    Raises:
        BinariesMissing: They are nowhere and cannot be built.
    """
    found = _prebuilt(say)
    if found:
        return found
    folder = cache_folder() / "controlplane" / _module_hash()
    if not _complete(folder):
        with _locked(folder.with_suffix(".lock"), say):
            if not _complete(folder):  # somebody else may have built it while this one waited
                _build(folder, say)
    return Binaries(folder)


def _prebuilt(say: Say) -> Binaries | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        if _complete(Path(assets)):
            return Binaries(Path(assets))
        lacking = [name for name in PROGRAMS if not (Path(assets) / name).exists()]
        say(f"control plane: KUBEBUILDER_ASSETS ({assets}) lacks {', '.join(lacking)}; not used")
    for folder in map(Path, os.environ.get("PATH", "").split(os.pathsep)):
        if _complete(folder):
            return Binaries(folder)
    return None


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in PROGRAMS)


def _module_hash() -> str:
    digest = hashlib.sha256()
    for file in ("go.mod", "go.sum", "main.go"):
        digest.update((MODULE / file).read_bytes())
    return f"{KUBERNETES}-{digest.hexdigest()[:12]}"


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            say("control plane: another process is building it; waiting")
            flock(file, LOCK_EX)
        yield


def _build(folder: Path, say: Say) -> None:
    try:
        go = find_go(MODULE / "go.mod", cache=cache_folder(), say=say)
    except GoMissing as error:
        raise BinariesMissing(
            f"no {', '.join(PROGRAMS)} on PATH or in KUBEBUILDER_ASSETS, "
            f"and they cannot be built: {error}"
        ) from error
    say(
        f"control plane: building Kubernetes {KUBERNETES} and etcd once into {folder} "
        "(about five minutes on two cores, about one with Go's build cache warm)"
    )
    started = time.monotonic()
    scratch = Path(mkdtemp(dir=folder.parent))
    try:
        run_go(
            go,
            ["build", "-trimpath", "-ldflags", _ldflags(), "-o", str(scratch), "."],
            cwd=MODULE,
        )
        for name in PROGRAMS:
            (scratch / name).symlink_to("controlplane")
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)  # complete or not there at all
    except subprocess.CalledProcessError as error:
        raise BinariesMissing(f"go build failed in {MODULE}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    say(f"control plane: built in {time.monotonic() - started:.0f} s")


def _ldflags() -> str:
    """Without its version a self-built Kubernetes takes itself for v0.0.0."""
    _, minor, _ = KUBERNETES.split(".")
    stamp = "k8s.io/component-base/version"
    return (
        f"-s -w -X {stamp}.gitVersion={KUBERNETES} -X {stamp}.gitMajor=1 "
        f"-X {stamp}.gitMinor={minor} -X {stamp}.gitTreeState=clean"
    )
