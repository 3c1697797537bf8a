"""Refuses bodies that are too large, before they are in memory.

Starlette has a middleware for it, but that one answers in plain text when the
length was announced, and this service tells every error as a problem.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragdeploy_service.problems import problem


class BodyLimit:
    """Counts the bytes of a body as they come, so that chunked ones are limited too (pure ASGI)."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes
        self._detail = (
            f"The body is larger than {most_bytes} bytes. Send fewer documents at a time."
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._most:
            await problem(scope, 413, self._detail)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise HTTPException(413, self._detail)
            return message

        await self._app(scope, counted, send)
