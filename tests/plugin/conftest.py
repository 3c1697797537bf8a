"""``kubectl rag`` as a user runs it: by kubectl, which finds it on PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.build import find


@pytest.fixture(scope="session")
def kubectl() -> Path:
    return find("kubectl")


@pytest.fixture
def rag(kubectl, cluster, namespace) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``kubectl rag`` in the test's namespace."""
    plugins = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{plugins}:{os.environ['PATH']}"}
    environment["KUBECONFIG"] = str(cluster.kubeconfig)

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        words = ["rag", "--namespace", namespace, *arguments]
        if arguments[0] == "__complete":  # what kubectl is asked for a line that begins so
            words = ["__complete", "rag", "--namespace", namespace, *arguments[1:]]
        return subprocess.run(
            [kubectl, *words],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            **options,
        )

    return run
