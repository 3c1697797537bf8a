"""A stand-in for an OpenAI-compatible server, over real HTTP.

It answers at once with a fixed text, or late, or badly, as a test asks it to, and
remembers what it was asked. Embeddings are bags of words: texts that share words
are near each other, so retrieval on them makes sense.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

DEFAULT_ANSWER = "The first passage answers it [1]."
DIMENSIONS = 64

Messages = list[dict[str, Any]]


class Failure(StrEnum):
    """The ways in which a language model's server lets people down."""

    OVERLOADED = "503"
    BROKEN = "500"
    RATE_LIMITED = "429, with Retry-After: 1"
    UNAUTHORIZED = "401"
    REFUSED = "400, of the kind that no retry mends"
    NONSENSE = "200 with a body that is not JSON"
    SILENCE = "accepts the request and never answers"
    BREAKS_OFF = "the connection ends in the middle of the answer"
    STALLS = "streams half of the answer, and then nothing"


_STATUS = {
    Failure.OVERLOADED: (503, "The server is overloaded"),
    Failure.BROKEN: (500, "Internal error"),
    Failure.RATE_LIMITED: (429, "Rate limit reached"),
    Failure.UNAUTHORIZED: (401, "Incorrect API key provided"),
    Failure.REFUSED: (400, "This model's maximum context length is 10 tokens"),
}


@dataclass(frozen=True)
class Call:
    """One request that the stand-in received."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def authorization(self) -> str | None:
        """Who asked, if it said so."""
        return self.headers.get("authorization")

    @property
    def messages(self) -> Messages:
        """The messages of a chat completion."""
        messages: Messages = self.body["messages"]
        return messages


class LanguageModelServer:
    """Chat completions (whole and streamed), embeddings and the list of models.

    Runs in a thread with an event loop of its own. Change what it does between
    requests through its attributes; ``reset`` brings back the defaults.

    >>> llm.answer = "Milvus keeps the vectors [1]."
    >>> llm.fail(Failure.OVERLOADED, times=2)
    >>> llm.delay = 0.5
    """

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self._host = host
        self._socket = socket.socket()
        self._socket.bind((host, 0))
        self.port = int(self._socket.getsockname()[1])
        self._lock = threading.Lock()
        self.reset()
        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            Route("/v1/models", self._models),
            *self._more_routes(),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), log_level="critical", lifespan="off", access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="llm", daemon=True
        )

    def _more_routes(self) -> list[Route]:
        return []

    @property
    def url(self) -> str:
        """The base URL that OpenAI's clients ask for."""
        return f"http://{self._host}:{self.port}/v1"

    def start(self) -> Self:
        """Serve; connections wait in the socket until the loop runs."""
        self._socket.listen(128)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop, without waiting for requests that it was told never to answer."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    def reset(self) -> None:
        """Forget the calls, and answer at once and well again."""
        with self._lock:
            self.calls: list[Call] = []
            self.most_at_once = 0
            """Most requests that were being answered at the same moment."""
            self.abandoned = 0
            """Requests whose client left before the end of the answer."""
            self._now = 0
            self._failure: Failure | None = None
            self._failures_left = 0
        self.answer: str | Callable[[Messages], str] = DEFAULT_ANSWER
        self.delay = 0.0
        """Seconds from request to answer; a stream spreads them over its words."""
        self.api_key: str | None = None
        """The only key that is accepted; any, or none, when None."""

    def fail(self, failure: Failure, *, times: int | None = None) -> None:
        """From now on fail in this way, ``times`` times or until ``recover``."""
        with self._lock:
            self._failure = failure
            self._failures_left = -1 if times is None else times

    def recover(self) -> None:
        """Answer well again."""
        with self._lock:
            self._failure = None

    def calls_to(self, path: str) -> list[Call]:
        """What was asked at the end of a path, such as ``chat/completions``."""
        return [call for call in self.calls if call.path.endswith(path)]

    # ---- what it serves ----
    async def _chat(self, request: Request) -> Response:
        call = await self._received(request)
        failure = self._failing(call)
        words = self._words(call)
        if call.body.get("stream") and failure in (None, Failure.BREAKS_OFF, Failure.STALLS):
            stream = self._stream(call, words, failure)
            return StreamingResponse(stream, media_type="text/event-stream")
        message = {"role": "assistant", "content": "".join(words)}
        answer = _completion(call, "chat.completion") | {
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": _usage(words),
        }
        return await self._late(request, failure, answer)

    async def _embeddings(self, request: Request) -> Response:
        call = await self._received(request)
        texts = call.body["input"]
        vectors = [embedding(text) for text in ([texts] if isinstance(texts, str) else texts)]
        answer = {
            "object": "list",
            "model": call.body.get("model", "stand-in"),
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }
        return await self._late(request, self._failing(call), answer)

    async def _models(self, request: Request) -> Response:
        model = {"id": "stand-in", "object": "model", "created": 1, "owned_by": "tests"}
        return JSONResponse({"object": "list", "data": [model]})

    # ---- how it behaves ----
    async def _received(self, request: Request) -> Call:
        body = await request.json()
        call = Call(request.url.path, body, dict(request.headers))
        with self._lock:
            self.calls.append(call)
        return call

    def _failing(self, call: Call) -> Failure | None:
        if self.api_key is not None and call.authorization != f"Bearer {self.api_key}":
            return Failure.UNAUTHORIZED
        with self._lock:
            if self._failure is None or self._failures_left == 0:
                return None
            self._failures_left -= 1
            return self._failure

    def _words(self, call: Call) -> list[str]:
        text = self.answer if isinstance(self.answer, str) else self.answer(call.messages)
        return re.findall(r"\S+\s*", text)

    async def _late(
        self, request: Request, failure: Failure | None, answer: dict[str, Any]
    ) -> Response:
        """The answer after the delay, or what comes instead of it."""
        silent = failure in (Failure.SILENCE, Failure.STALLS)
        with self._in_work():
            try:
                async with asyncio.timeout(None if silent else self.delay):
                    while (await request.receive())["type"] != "http.disconnect":
                        pass
                self._left()
            except TimeoutError:
                pass
        return _response(failure, answer)

    async def _stream(
        self, call: Call, words: list[str], failure: Failure | None
    ) -> AsyncIterator[str]:
        chunk = _completion(call, "chat.completion.chunk")
        try:
            with self._in_work():
                for number, word in enumerate(words):
                    await asyncio.sleep(self.delay / len(words))
                    if failure and number == len(words) // 2:
                        if failure is Failure.BREAKS_OFF:
                            raise ConnectionAbortedError("told to break off")
                        await asyncio.Event().wait()
                    delta = {"index": 0, "delta": {"content": word}, "finish_reason": None}
                    yield _event(chunk | {"choices": [delta]})
        except asyncio.CancelledError:
            self._left()
            raise
        yield _event(chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (call.body.get("stream_options") or {}).get("include_usage"):
            yield _event(chunk | {"choices": [], "usage": _usage(words)})
        yield "data: [DONE]\n\n"

    def _left(self) -> None:
        with self._lock:
            self.abandoned += 1

    @contextmanager
    def _in_work(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


def embedding(text: str) -> list[float]:
    """A unit vector of the text's words, each word one of ``DIMENSIONS`` directions."""
    counts = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()) or [text]:
        counts[zlib.crc32(word.encode()) % DIMENSIONS] += 1
    length = sqrt(sum(value * value for value in counts))
    return [value / length for value in counts]


def _completion(call: Call, kind: str) -> dict[str, Any]:
    model = call.body.get("model", "stand-in")
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model}


def _usage(words: list[str]) -> dict[str, int]:
    tokens = len(words)
    return {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}


def _event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


def _response(failure: Failure | None, answer: dict[str, Any]) -> Response:
    if failure in _STATUS:
        status, message = _STATUS[failure]
        headers = {"Retry-After": "1"} if failure is Failure.RATE_LIMITED else None
        return JSONResponse({"error": {"message": message}}, status, headers)
    if failure is Failure.NONSENSE:
        return Response("<html>It works!</html>", media_type="application/json")
    whole = json.dumps(answer)
    if failure is Failure.BREAKS_OFF:
        headers = {"Content-Length": str(len(whole))}
        return Response(whole[: len(whole) // 2], headers=headers, media_type="application/json")
    return Response(whole, media_type="application/json")
