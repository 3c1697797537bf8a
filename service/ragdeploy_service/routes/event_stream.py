"""Server-sent events that are kept alive, and end what they come from when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse
from starlette.types import Receive, Scope, Send

_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}


class EventStream(EventSourceResponse):
    """Sends events, and comments in between when there is none for ``keep_alive`` seconds.

    At the end, however it comes, ``events`` and ``resources`` are closed: also if the client
    left before the first event.
    """

    def __init__(
        self,
        events: AsyncGenerator[bytes],
        *,
        keep_alive: float,
        resources: AsyncExitStack,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._sent = _kept_alive(events, keep_alive)
        super().__init__(self._sent, headers={**_HEADERS, **(headers or {})})
        self._events = events
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._resources, aclosing(self._events), aclosing(self._sent):
            await super().__call__(scope, receive, send)


async def _kept_alive(events: AsyncGenerator[bytes], seconds: float) -> AsyncGenerator[bytes]:
    """Put a comment wherever nothing comes for so many seconds."""
    # In a task of its own, because a timeout around `anext` would cancel the generator.
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({coming}, timeout=seconds)
            if not done:
                yield KEEPALIVE_COMMENT
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield event
    finally:
        if coming is not None and not coming.done():
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
