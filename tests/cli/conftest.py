"""The command as a person types it, and services for it to talk to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragdeploy_service.adapters.models.published import ModelFiles
from tests.support.service import ServiceProcess

RAGDEPLOY = Path(sys.executable).with_name("ragdeploy")

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ragdeploy(tmp_path: Path) -> Command:
    """Runs ``ragdeploy`` in a folder of its own, with these variables and no others of ours."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("RAG", "HF_"))}
        return subprocess.run(
            [RAGDEPLOY, *map(str, arguments)],
            cwd=tmp_path,
            env=clean | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Three documents of different kinds."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "rebuild.md").write_text(
        "# Rebuild\n\nThe staging cluster is rebuilt every Monday at 06:00 UTC.\n"
    )
    (folder / "lunch.txt").write_text("Lunch is served in the canteen from noon to two.\n")
    (folder / "leave.html").write_text(
        "<title>Leave</title><nav>Home</nav><main><h1>Parental leave</h1>"
        "<p>Both parents get twenty weeks of paid leave.</p></main>"
    )
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model: ModelFiles) -> Iterator[str]:
    """The address of a service; tests that share it index the same three documents."""
    folder = tmp_path_factory.mktemp("service")
    with ServiceProcess({"RAG_EMBEDDING_MODEL_DIR": str(model.folder)}, folder=folder) as running:
        yield running.url
