"""Load from wrk, which costs the measured service as little as can be on the same machine."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("query.lua")
# Longer than anything that is measured here waits: what is slow is to be counted, not left out.
_TIMEOUT = "90s"

# Each run asks questions of its own, and so does the next start of the benchmark.
_runs = itertools.count(time.time_ns() // 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of a load; times in milliseconds, ``statuses`` of answers other than 200."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    broken: int
    statuses: dict[str, int]

    @property
    def failures(self) -> int:
        """Answers other than 200, and requests without an answer."""
        return self.broken + sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.requests - sum(self.statuses.values())) / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """A file of questions, one a line, in plain words without quotes."""

    file: Path

    def ask(
        self,
        url: str,
        *,
        clients: int,
        seconds: float,
        path: str = "/query",
        same: bool = False,
    ) -> Load:
        """Let ``clients`` ask without a pause, each on a connection of its own."""
        (load,) = self.ask_all([url], clients=clients, seconds=seconds, path=path, same=same)
        return load

    def ask_all(
        self, urls: Sequence[str], *, clients: int, seconds: float, path: str, same: bool = False
    ) -> list[Load]:
        """Share the clients among several servers, at the same time."""
        running = [
            self._start(url, max(1, clients // len(urls)), seconds, path, same) for url in urls
        ]
        return [_result(process) for process in running]

    def _start(
        self, url: str, clients: int, seconds: float, path: str, same: bool
    ) -> subprocess.Popen[str]:
        environment = os.environ | {
            "QUESTIONS": str(self.file),
            "ASK_PATH": path,
            "MODE": "same" if same else "new",
            "RUN": str(next(_runs)),
        }
        duration = f"{max(1, round(seconds))}s"
        command = [
            *("wrk", "--threads", "1", "--connections", str(clients), "--duration", duration),
            *("--timeout", _TIMEOUT, "--script", str(_SCRIPT), url),
        ]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def demand_wrk() -> None:
    """Stop here if there is no wrk.

    Raises:
        SystemExit: it is missing; says how to get it.
    """
    if shutil.which("wrk") is None:
        raise SystemExit(
            "The load comes from wrk, which is not on PATH. Install it (Debian, Ubuntu: "
            "apt-get install wrk; macOS: brew install wrk), then run this again."
        )


def _result(process: subprocess.Popen[str]) -> Load:
    output, _ = process.communicate()
    for line in output.splitlines():
        if line.startswith("RESULT "):
            return Load(**json.loads(line.removeprefix("RESULT ")))
    raise RuntimeError(f"wrk ended with {process.returncode}:\n{output}")
