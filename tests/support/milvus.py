"""Vector stores for tests: Milvus Lite as its own server, and a real Milvus if one is there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from filelock import FileLock

from tests.support.process import Process, free_port

# Each part of that server listens, on a port of its own.
_PORTS = (
    *("proxy-internal", "root-coord", "query-coord", "query-node"),
    *("index-node", "data-coord", "data-node", "etcd"),
)

_TURN_SECONDS = 900.0

URI_VARIABLE = "RAGDEPLOY_TEST_MILVUS_URI"


# `python -m milvus_lite`, after pymilvus was imported as the service does it, without pandas.
_LITE = (
    "import ragdeploy_service.adapters.milvus.library, runpy;"
    "runpy.run_module('milvus_lite', run_name='__main__', alter_sys=True)"
)


class MilvusLiteServer:
    """Milvus Lite as a process that several services can share, and a test can kill.

    It speaks Milvus's own protocol, and what it was given is there again
    after a crash.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = Process(
            [
                *(sys.executable, "-c", _LITE, "server", "--data-dir", folder / "milvus.db"),
                *("--host", "127.0.0.1", "--port", str(self.port)),
            ],
            log=folder / "milvus-lite.log",
            name="milvus-lite",
        )

    def start(self) -> Self:
        """Start it and return once it accepts connections."""
        self.process.start().wait_ready(lambda: accepts(self.uri), timeout=60)
        return self

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()

    def stop(self) -> None:
        self.process.stop()


class MilvusServer:
    """A real Milvus: the one that a variable names, or one from the PyPI package ``milvus``.

    That package is Milvus 2.3.5 as a single program. It stands in no
    environment of ours, because nothing but a test needs it.
    """

    def __init__(self, uri: str, process: Process | None) -> None:
        self.uri = uri
        self.process = process
        # One at a time on a machine (see `find`), whoever runs tests on it.
        self._alone = FileLock(Path(tempfile.gettempdir()) / "ragdeploy-test-milvus.lock")

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """The server named by RAGDEPLOY_TEST_MILVUS_URI, or by ``milvus-server`` on PATH."""
        if uri := os.environ.get(URI_VARIABLE):
            return cls(uri, None)
        program = shutil.which("milvus-server")
        if program is None:
            return None
        port = free_port()
        ports = [argument for name in _PORTS for argument in (f"--{name}-port", str(free_port()))]
        command: list[str | Path] = [program, "--data", folder, "--proxy-port", str(port), *ports]
        # Two ports have no argument, and where one is taken, Milvus ends without a word: this one,
        # and etcd's for its peers, 2380.
        env = os.environ | {"METRICS_PORT": str(free_port())}
        process = Process(command, log=folder / "milvus.log", env=env, name="milvus")
        return cls(f"http://127.0.0.1:{port}", process)

    def start(self) -> Self:
        """Start it if it is ours, and return once it accepts connections."""
        if self.process is not None:
            self._alone.acquire(timeout=_TURN_SECONDS)
            self.process.start().wait_ready(lambda: accepts(self.uri), timeout=120)
        return self

    def stop(self) -> None:
        if self.process is not None and self.process.running:
            # The package's program ends its server on Ctrl-C alone.
            self.process.signal(signal.SIGINT)
            self.process.wait(timeout=30)
        self._alone.release()


def accepts(uri: str) -> bool:
    """Whether something listens at the host and port of a URI."""
    parts = urlsplit(uri)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 19530), timeout=1).close()
    except OSError:
        return False
    return True
