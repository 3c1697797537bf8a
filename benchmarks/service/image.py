"""``make bench-image``: how large the service's image is, and how soon a container of it is ready.

The vector store is there already (Milvus Lite as a server of its own), as it is where pods are
added. Ready is the first 200 of ``/health/ready``, counted from ``docker run``; an empty
container of the base image is timed beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from benchmarks.report import Row, print_report
from tests.support.milvus import MilvusLiteServer
from tests.support.process import free_port

_RUNS = 7
_MB = 1_000_000
_DEADLINE_SECONDS = 60


def main() -> None:
    """Measure and print."""
    image = os.environ.get("SERVICE_IMAGE", "ragdeploy/service:dev")
    base = os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm")
    size, below = _size(image), _size(base)
    with tempfile.TemporaryDirectory() as folder:
        store = MilvusLiteServer(Path(folder)).start()
        try:
            starts = [_start(image, store.uri) for _ in range(_RUNS)]
        finally:
            store.stop()
    empty = [_empty(base) for _ in range(_RUNS)]
    rows = [
        Row("image", f"{size / _MB:.0f} MB"),
        Row("above its base image", f"{(size - below) / _MB:.0f} MB", "400 MB"),
        Row("docker run until ready, median", f"{median(starts):.2f} s", "3 s"),
        Row("  fastest and slowest", f"{min(starts):.2f} / {max(starts):.2f} s"),
        Row("docker run of nothing, median", f"{median(empty):.2f} s"),
    ]
    print_report(rows, setting=f"{_RUNS} runs, read-only root file system")


def _size(image: str) -> int:
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _start(image: str, store: str) -> float:
    port = free_port()
    settings = {
        "RAG_PORT": port,
        "MILVUS_URI": store,
        "RAG_API_KEYS": "a-key-of-the-benchmark",
        "RAG_DATA_DIR": "/tmp",
    }
    environment = [f"--env={name}={value}" for name, value in settings.items()]
    began = time.monotonic()
    command = ["docker", "run", "--detach", "--network=host", "--read-only"]
    done = subprocess.run(
        [*command, "--tmpfs=/tmp", *environment, image], capture_output=True, text=True, check=True
    )
    container = done.stdout.strip()
    try:
        while not _is_ready(port):
            if time.monotonic() - began > _DEADLINE_SECONDS:
                logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True)
                raise SystemExit(f"not ready: {logs.stdout[-2000:]}{logs.stderr[-2000:]}")
            time.sleep(0.01)
        return time.monotonic() - began
    finally:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1) as answer:
            return bool(json.load(answer)["status"] == "ready")
    except OSError:
        return False


def _empty(base: str) -> float:
    began = time.monotonic()
    subprocess.run(["docker", "run", "--rm", base, "true"], check=True, capture_output=True)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
