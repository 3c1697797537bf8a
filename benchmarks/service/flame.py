"""Where the processor time goes under load: flame graphs of the service, by py-spy.

py-spy looks at a running process from outside, so the service is the one that is
measured everywhere else. Threads that wait are left out.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

from benchmarks.report import Row
from benchmarks.service.contenders import Ours
from benchmarks.service.measures import say
from benchmarks.service.wrk import Questions

_SECONDS = 10
_RATE = 250  # samples a second
_CLIENTS = 64
_PY_SPY = Path(sys.executable).with_name("py-spy")


def flame(service: Ours, questions: Questions, *, folder: Path) -> Iterator[Row]:
    """Draw one graph for new questions and one for the same again; shares by package.

    Raises:
        CalledProcessError: py-spy may not look at the process (it asks for ptrace: run as root).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for what, same in (("new questions", False), ("the same question", True)):
        say(f"{service.name}: {what}")
        stem = f"{service.name.rpartition(' ')[2].lower()}-{what.replace(' ', '-')}"
        raw, picture = folder / f"{stem}.txt", folder / f"{stem}.svg"
        load = Thread(
            target=questions.ask,
            args=(service.url,),
            kwargs={"clients": _CLIENTS, "seconds": 2 * _SECONDS + 4, "same": same},
        )
        load.start()
        _record(service.pid, raw, form="raw")
        _record(service.pid, picture, form="flamegraph")
        load.join()
        counts = _by_package(raw)
        total = sum(counts.values())
        yield Row(f"{what}, {_CLIENTS} clients", picture.name)
        for package, samples in counts.most_common(12):
            yield Row(f"  {package}", f"{samples / total:.1%}")


def _record(pid: int, file: Path, *, form: str) -> None:
    settings = {"pid": pid, "duration": _SECONDS, "rate": _RATE, "format": form, "output": file}
    options = [f"--{name}={value}" for name, value in settings.items()]
    subprocess.run([_PY_SPY, "record", *options], check=True, capture_output=True)


def _by_package(raw: Path) -> Counter[str]:
    """Samples by the package of the innermost frame that belongs to one.

    A line of the file is ``frame;frame;...;frame samples``, the innermost last. What the
    standard library does counts for whoever called it.
    """
    counts: Counter[str] = Counter()
    for line in raw.read_text("utf-8").splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        if not frames[-1].startswith(_WAITING):
            counts[_package(frames)] += int(samples)
    return counts


def _package(frames: list[str]) -> str:
    for frame in reversed(frames):
        file = frame.rpartition("(")[2].rpartition(":")[0]
        first, *rest = file.split("/")
        if first == "ragdeploy_service":
            return "/".join(["ragdeploy_service", *rest[:1]]).removesuffix(".py")
        if "site-packages" in file:
            return file.partition("site-packages/")[2].split("/")[0].removesuffix(".py")
        if rest and first in _LIBRARIES:
            return first
    return "asyncio and the standard library"


# Threads that wait in C, which py-spy takes for work.
_WAITING = (
    "_worker (concurrent/futures/thread.py",
    "_serve (grpc/_server.py",
    "Thread.run (threading.py",
    "EpollSelector.select",
)

_LIBRARIES = frozenset(
    {
        "aiohttp", "anyio", "fastapi", "grpc", "httpcore", "httpcore2", "httpx", "milvus_lite",
        "onnxruntime", "openai", "opentelemetry", "prometheus_client", "pydantic", "pymilvus",
        "redis", "starlette", "structlog", "tenacity", "tokenizers", "uvicorn",
    }
)  # fmt: skip
