"""Programs that tests start: ready when they say so, and gone when the tests are."""

from __future__ import annotations

import atexit
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.waiting import PATIENCE

_TETHER = Path(__file__).with_name("tether.py")


class DidNotStart(Exception):
    """A program ended, or said nothing, before it was ready; carries the end of its log."""


# Below those that the kernel gives to connections (32768 and up on Linux), or any of them could
# take a port between its choice and the start of the server that it was chosen for.
_PORTS = range(15_000, 30_000)
# Where to begin: elsewhere in each process, because several test runs share a machine.
_next_port = itertools.count(os.getpid() * 97)


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now, another one at each call."""
    for number in itertools.islice(_next_port, len(_PORTS)):
        port = _PORTS[number % len(_PORTS)]
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Process:
    """One child process with its output in a file.

    It is killed when this process ends in any way, SIGKILL included (see
    ``tether.py``). The kernel counts the end of the *thread* that started it as
    the end of the parent, so start it from a thread that outlives it.

    Args:
        command: Program and arguments.
        log: File that receives standard output and standard error.
        env: The whole environment; this process's own when absent.
        name: What messages call it; the program's file name when absent.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log_file = log
        self.name = name or Path(self.command[0]).name
        self._env = dict(env) if env is not None else None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; the program must have been started."""
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """How it ended (minus the signal's number if by one); None while it runs."""
        return self._child.poll() if self._child else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def log(self) -> str:
        """All it has written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self) -> Self:
        """Start it, or start it again; the log goes on in the same file."""
        assert not self.running, f"{self.name} runs already"
        tethered = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *self.command]
        with self.log_file.open("ab") as log:
            self._child = subprocess.Popen(
                tethered,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it in order
            )
        atexit.register(self.kill)
        return self

    def wait_ready(self, ready: Callable[[], bool], *, timeout: float = PATIENCE) -> Self:
        """Return once ``ready()`` is true.

        Raises:
            DidNotStart: It ended first, or was not ready within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise DidNotStart(f"{self.name} ended with {self.returncode}:\n{self._tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise DidNotStart(f"{self.name} not ready in {timeout:g} s:\n{self._tail()}")
            time.sleep(0.02)
        return self

    def wait(self, *, timeout: float = 30) -> int:
        """Wait until it ends by itself; its return code."""
        assert self._child is not None, f"{self.name} was not started"
        return self._child.wait(timeout)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._child is not None, f"{self.name} was not started"
        self._child.send_signal(number)

    def stop(self, *, timeout: float = 15) -> int | None:
        """End it with SIGTERM, with SIGKILL after ``timeout`` seconds; its return code."""
        if self._child is None:
            return None
        if self.running:
            self._child.terminate()
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        atexit.unregister(self.kill)
        return self.returncode

    def kill(self) -> None:
        """End it with SIGKILL, as a crash of its machine would."""
        if self._child is not None and self.running:
            self._child.kill()
            self._child.wait()

    def _tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
