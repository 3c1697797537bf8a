"""The service as its users run it: a process that answers over HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from tests.support.process import Process, free_port
from tests.support.waiting import PATIENCE

_COMMAND = Path(sys.executable).with_name("ragdeploy")

# What a process needs of the machine. Nothing else is passed on, so that a key or a
# proxy in the environment of whoever runs the tests cannot change what they see.
# PYTHONPATH for tools/rebuild_traps.py, which runs the tests on a changed copy.
_INHERITED = ("HOME", "PATH", "PYTHONPATH", "LANG", "TMPDIR", "XDG_CACHE_HOME", "SSL_CERT_FILE")


class ServiceProcess:
    """``ragdeploy serve`` on a free port of loopback.

    >>> with ServiceProcess({"REDIS_URL": redis.url}, folder=tmp_path) as service:
    ...     service.http.post("/query", json={"question": "Who?"})

    Args:
        settings: Environment variables of the service; its port is set here.
        folder: For its data and its log.
    """

    def __init__(self, settings: Mapping[str, str], *, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        here = {"RAG_PORT": str(self.port), "RAG_DATA_DIR": str(folder / "data")}
        self.process = Process(
            [_COMMAND, "serve"], log=folder / "service.log", env=inherited | here | dict(settings)
        )
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    @property
    def log(self) -> str:
        """All it has written so far."""
        return self.process.log

    def start(self, *, timeout: float = PATIENCE) -> Self:
        """Start it and return once it says that it is ready.

        Raises:
            DidNotStart: It ended first, or was not ready within ``timeout`` seconds.
        """
        self.process.start().wait_ready(self._is_ready, timeout=timeout)
        return self

    def stop(self, *, timeout: float = 30) -> int | None:
        """End it as Kubernetes would, with SIGTERM; its return code."""
        return self.process.stop(timeout=timeout)

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.http.close()
