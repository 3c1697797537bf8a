"""OpenAI's chat completions over HTTP, as far as they are needed here.

On aiohttp and not on OpenAI's library: that one takes 1.4 ms of processor time for a completion,
more than everything else that happens to a question in the event loop, and 0.6 s to import. This
takes 0.2 ms.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from pydantic import BaseModel

OPENAI_URL = "https://api.openai.com/v1"

# A line of a stream is a piece of an answer, but some servers send it whole.
_LONGEST_LINE = 2**20

# Errors of a call: no answer, one that breaks off, or one that is no chat completion.
FAILURES = (aiohttp.ClientError, TimeoutError, ValueError)


class Refused(aiohttp.ClientError):
    """The server answered with another status than 200."""

    def __init__(self, status: int, *, retry_after: str | None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after = retry_after


class Tokens(BaseModel):
    """What was counted."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Text(BaseModel):
    content: str | None = None


class Choice(BaseModel):
    """An answer, or a piece of one."""

    message: _Text | None = None
    delta: _Text | None = None
    finish_reason: str | None = None


class Completion(BaseModel):
    """A whole answer, or a chunk of one; what else a server says is left out."""

    choices: list[Choice] | None = None
    usage: Tokens | None = None


class _Chunk(Completion):
    error: Any = None


class ChatCompletions:
    """A client of one server; make it in a running event loop.

    Args:
        base_url: Root of the API; OpenAI's own when absent.
        key: Sent as a bearer token; nothing is sent when absent.
        connect_seconds: Longest time to a connection. Other deadlines are the caller's.

    """

    def __init__(self, base_url: str | None, *, key: str | None, connect_seconds: float) -> None:
        self._url = f"{(base_url or OPENAI_URL).rstrip('/')}/chat/completions"
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key}"} if key else None,
            connector=aiohttp.TCPConnector(limit=0),  # who asks is bounded before
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds),
            trust_env=True,  # HTTPS_PROXY and NO_PROXY
            read_bufsize=_LONGEST_LINE,
        )

    async def create(self, body: Mapping[str, Any], *, headers: Mapping[str, str]) -> Completion:
        """Ask for a whole answer; raises `FAILURES`."""
        async with self._post(body, headers) as response:
            return Completion.model_validate_json(await response.read())

    async def stream(
        self, body: Mapping[str, Any], *, headers: Mapping[str, str]
    ) -> AsyncGenerator[Completion]:
        """Ask for an answer in pieces; raises `FAILURES`. Close the generator to give it up."""
        more = {"stream": True, "stream_options": {"include_usage": True}}
        async with self._post({**body, **more}, headers) as response:
            async for line in response.content:
                if not line.startswith(b"data:"):
                    continue
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                chunk = _Chunk.model_validate_json(data)
                if chunk.error is not None:
                    raise ValueError("the server tells of an error in the middle of the answer")
                yield chunk

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()

    @asynccontextmanager
    async def _post(
        self, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # Left before its end, a response takes its connection with it, so the server knows.
        async with self._http.post(self._url, json=body, headers=headers) as response:
            if response.status != 200:
                raise Refused(response.status, retry_after=response.headers.get("Retry-After"))
            yield response
