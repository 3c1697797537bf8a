"""The commands of the README, typed as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragdeploy_service.adapters.models.published import ModelFiles
from tests.support.service import ServiceProcess

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def commands(mark: str) -> str:
    """The shell block behind a mark in the README."""
    found = re.search(rf"<!-- commands: {mark} -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert found, mark
    return found[1]


@pytest.fixture
def service(tmp_path: Path, model: ModelFiles) -> Iterator[ServiceProcess]:
    """What `make run` starts, on another port."""
    with ServiceProcess({"RAG_EMBEDDING_MODEL_DIR": str(model.folder)}, folder=tmp_path) as running:
        yield running


def test_what_is_typed_beside_make_run_answers_the_question(service: ServiceProcess) -> None:
    script = commands("laptop").replace("localhost:8000", f"127.0.0.1:{service.port}")
    here = str(Path(sys.executable).parent)
    assert ".venv/bin/ragdeploy " in script
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(".venv/bin", here)],
        cwd=ROOT,
        env={**os.environ, "RAGDEPLOY_URL": service.url},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert '"job_id"' in done.stdout
    assert "documents indexed" in done.stdout
    assert "rebuilt every Monday at 06:00 UTC" in done.stdout.splitlines()[-1]
