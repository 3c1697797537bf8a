"""Refuses bodies that are too large, before they are in memory.

Starlette has a middleware for it, but that one answers in plain text when the
length was announced, and this service tells every error as a problem.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Counts the bytes of a body as they come, so that chunked ones are limited too (pure ASGI).

    A route may take less or more than the others: it says so in the request's state, as
    ``most_body_bytes``, before it reads.
    """

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        announced = int(length) if length.isdecimal() else 0
        received = 0

        async def counted() -> Message:
            nonlocal received
            most = scope["state"].get("most_body_bytes", self._most)
            if announced <= most:
                message = await receive()
                received += len(message.get("body", b""))
                if received <= most:
                    return message
            raise HTTPException(
                413,
                f"The body is larger than the {most} bytes that are taken. Send less at a time.",
            )

        await self._app(scope, counted, send)
