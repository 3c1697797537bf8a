"""A language model's stand-in that costs the measured service as little as can be.

Answers each chat completion after a fixed time, and counts those it is told to. It is one
asyncio protocol without a framework, in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.process import free_port
from tests.support.waiting import eventually

_ANSWER = "The answer stands in the first passage [1]."
_COMPLETION = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _ANSWER},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 300, "completion_tokens": 10, "total_tokens": 310},
    }
).encode()


class _Protocol(asyncio.Protocol):
    marker = b""
    counted = 0

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _content_length(head)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            if head.startswith(b"GET "):
                self._transport.write(_response(str(_Protocol.counted).encode()))
                continue
            if head.startswith(b"PUT "):
                _Protocol.marker, _Protocol.counted = body, 0
                self._transport.write(_response(b"{}"))
                continue
            _Protocol.counted += _Protocol.marker in body
            asyncio.get_running_loop().call_later(
                self._delay, self._transport.write, _response(_COMPLETION)
            )


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


@dataclass(frozen=True, slots=True)
class StandIn:
    """The stand-in while it runs."""

    port: int

    @property
    def url(self) -> str:
        """The root of its API."""
        return f"http://127.0.0.1:{self.port}/v1"

    def count(self, marker: str) -> None:
        """From now on, count the completions whose prompt holds ``marker``."""
        url = f"http://127.0.0.1:{self.port}/marker"
        request = urllib.request.Request(url, data=marker.encode(), method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    @property
    def counted(self) -> int:
        """How many there were."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counted", timeout=10) as answer:
            return int(answer.read())


@contextmanager
def language_model(*, delay_ms: int) -> Iterator[StandIn]:
    """Run the stand-in."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.service.llm", str(port), str(delay_ms)]
    process = subprocess.Popen(command)
    stand_in = StandIn(port)
    try:
        eventually(lambda: _answers(stand_in), what="the language model's stand-in answers")
        yield stand_in
    finally:
        process.terminate()
        process.wait()


def _answers(stand_in: StandIn) -> bool:
    try:
        return stand_in.counted >= 0
    except OSError:
        return False


async def _serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(delay), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]) / 1000))
