"""A real redis-server for tests, on a port of its own."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Self

from tests.support.process import Process, free_port


class RedisServer:
    """One redis-server process; a test may kill it and start it again.

    >>> server.kill()   # connections break, new ones are refused
    >>> server.start()  # empty again, on the same port, unless it is durable

    Args:
        program: The redis-server to run.
        folder: For its log, and what it keeps.
        durable: Whether what it has confirmed is on disk.
    """

    def __init__(self, program: Path, folder: Path, *, durable: bool = False) -> None:
        self.program = program
        keep = ("--appendonly", "yes", "--appendfsync", "always") if durable else ()
        self.port = free_port()
        self.process = Process(
            [
                program,
                *("--bind", "127.0.0.1", "--port", str(self.port)),
                *("--save", "", "--dir", folder, *keep),
            ],
            log=folder / "redis.log",
        )

    @staticmethod
    def find() -> Path | None:
        """The redis-server on PATH."""
        found = shutil.which("redis-server")
        return Path(found) if found else None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start it and return once it answers; nothing happens when it runs already."""
        if not self.process.running:
            self.process.start().wait_ready(lambda: self.ask("PING") == "+PONG")
        return self

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()

    def flush(self) -> None:
        """Forget everything."""
        assert self.ask("FLUSHALL") == "+OK"

    def ask(self, command: str) -> str | None:
        """The first line of the answer to an inline command; None when it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.makefile().readline().strip()
        except OSError:
            return None
