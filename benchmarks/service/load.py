"""Clients that ask one question after another, as cheaply as can be on the same machine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of a load: seconds of each answer, the time it took in all, and failures."""

    latencies: list[float]
    seconds: float
    failures: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


def ask(port: int, questions: Iterator[str], *, clients: int, seconds: float) -> Load:
    """Let ``clients`` ask for ``seconds``, each on a connection of its own, without a pause."""
    return asyncio.run(_ask(port, questions, clients, seconds))


async def _ask(port: int, questions: Iterator[str], clients: int, seconds: float) -> Load:
    latencies: list[float] = []
    failures = 0
    started = time.perf_counter()

    async def client() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() - started < seconds:
                begin = time.perf_counter()
                status = await _post(reader, writer, next(questions))
                latencies.append(time.perf_counter() - begin)
                failures += status != 200
        finally:
            writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(latencies=latencies, seconds=time.perf_counter() - started, failures=failures)


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: str) -> int:
    body = json.dumps({"question": question}).encode()
    writer.write(
        b"POST /query HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
