"""Where the programs come from, and what a person is told when they come from nowhere."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane.binaries import PROGRAMS, BinariesMissing, find_binaries

FAKE_GO = """#!/bin/sh
case "$1" in
version) echo "go version go1.99.0 linux/amd64" ;;
build) echo build >>"$BUILDS"; sleep 0.3
  while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\\n' >"$2/controlplane"; chmod +x "$2/controlplane" ;;
esac
"""


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with none of the programs, and an empty cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def test_they_are_taken_from_kubebuilder_assets(empty_machine: Path, monkeypatch):
    for name in PROGRAMS:
        program(empty_machine / name)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(empty_machine))
    assert find_binaries().folder == empty_machine


def test_they_are_taken_from_path(empty_machine: Path):
    for name in PROGRAMS:
        program(empty_machine / "bin" / name)
    assert find_binaries().folder == empty_machine / "bin"


def test_assets_that_lack_a_program_are_named_and_not_mixed_with_others(
    empty_machine: Path, monkeypatch
):
    assets = empty_machine / "assets"
    assets.mkdir()
    for name in ("kube-apiserver", "etcd"):  # what envtest's archives hold
        program(assets / name)
    program(empty_machine / "bin" / "go", FAKE_GO)
    monkeypatch.setenv("BUILDS", str(empty_machine / "builds"))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    said: list[str] = []
    assert find_binaries(said.append).folder.is_relative_to(empty_machine / "cache")
    assert "lacks kube-controller-manager" in said[0]


def test_they_are_built_once_by_many_processes_and_then_kept(empty_machine: Path, monkeypatch):
    program(empty_machine / "bin" / "go", FAKE_GO)
    builds = empty_machine / "builds"
    monkeypatch.setenv("BUILDS", str(builds))
    find = "from tests.controlplane.binaries import find_binaries as f; print(f().folder)"
    root = Path(__file__).parents[2]
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", find],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60) for process in racing]
    assert [process.returncode for process in racing] == [0, 0, 0], outputs
    assert builds.read_text() == "build\n"
    assert {folder.strip() for folder, _ in outputs} == {str(find_binaries().folder)}
    said = "".join(line for _, line in outputs)
    assert "building Kubernetes" in said
    assert "another process is building it; waiting" in said


def test_without_programs_and_without_go_the_message_says_what_would_help(
    empty_machine: Path, monkeypatch
):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nothing listens there
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(BinariesMissing, match=r"(?s)kube-apiserver.*KUBEBUILDER_ASSETS.*Go"):
        find_binaries()


def test_a_failed_build_leaves_nothing_that_looks_finished(empty_machine: Path, monkeypatch):
    program(empty_machine / "bin" / "go", FAKE_GO.replace("build) ", "build) exit 1; "))
    with pytest.raises(BinariesMissing, match="go build"):
        find_binaries()
    program(empty_machine / "bin" / "go", FAKE_GO)
    monkeypatch.setenv("BUILDS", str(empty_machine / "builds"))
    assert find_binaries().etcd.exists()
