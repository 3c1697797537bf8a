"""Reads files in a process of its own, which may crash, hang or eat memory without harm.

A thread would not do: it cannot be stopped, and a reader written in Python
holds the interpreter's lock while questions wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

from ragdeploy_service.documents.page import Page, Unreadable

_COMMAND = (sys.executable, "-P", "-s", "-m", "ragdeploy_service.documents.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a file may cost."""

    text_bytes: int
    memory_bytes: int = 768 * 2**20


class IsolatedReader:
    """A process that reads files one after another; it starts with the first. For one thread.

    >>> with IsolatedReader(Limits(text_bytes=8 * 2**20)) as reader:
    ...     page = reader.read(data, kind=".pdf", seconds=60)
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # Whoever closes it is another thread: it must not miss a process that is being started,
        # nor close a pipe that the reading thread is about to use.
        self._guard = threading.Lock()
        self._reading = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, data: bytes, *, kind: str, seconds: float) -> Page:
        """Read a file of one of `documents.KINDS` in so much time.

        Raises:
            Unreadable: it gives no text, or it costs more than the limits.
        """
        with self._reading:
            return self._read(data, kind, seconds)

    def close(self) -> None:
        """Read no more; what is being read, in another thread, is given up."""
        with self._guard:
            self._closed = True
            if self._process is not None:
                self._process.kill()
        with self._reading:
            self._end()

    def _read(self, data: bytes, kind: str, seconds: float) -> Page:
        process = self._running()
        late = threading.Event()

        def expire() -> None:
            late.set()
            process.kill()

        expiry = threading.Timer(seconds, expire)
        expiry.start()
        try:
            reply = _ask(process, data, kind)
        finally:
            expiry.cancel()
        if reply is None:
            self._end()
            if late.is_set():
                raise Unreadable(f"could not be read in {seconds:.3g} s; split it")
            raise Unreadable("makes its reader crash; it is damaged, or needs too much memory")
        if "unreadable" in reply:
            raise Unreadable(reply["unreadable"])
        return Page(**reply)

    def _running(self) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._closed:
                raise Unreadable("was not read, because reading has ended")
            if self._process is None:
                self._process = self._start()
            return self._process

    def _end(self) -> None:
        with self._guard:
            process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError), process:  # closes its pipes
                process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        limits = (str(self._limits.memory_bytes), str(self._limits.text_bytes))
        return subprocess.Popen(  # noqa: S603
            [*_COMMAND, *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Where the modules are, and no key in reach of whoever finds a hole in a reader.
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )


def _ask(process: subprocess.Popen[bytes], data: bytes, kind: str) -> dict[str, Any] | None:
    """Hand a file to the process and wait for its page; None if it has ended."""
    stdin, stdout = _pipes(process)
    header = json.dumps({"kind": kind, "size": len(data)}).encode()
    try:
        stdin.write(header + b"\n" + data)
        stdin.flush()
    except BrokenPipeError:
        return None
    line = stdout.readline()
    if not line.endswith(b"\n"):
        return None
    reply: dict[str, Any] = json.loads(line)
    return reply


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without pipes")
    return process.stdin, process.stdout
