"""Stops working on an answer when whoever asked has gone (litellm#37140 paid for such answers)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

# Work that ends sooner is not worth watching its client for, such as an answer from the cache.
_PATIENCE_SECONDS = 0.25

T = TypeVar("T")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns; the request's body must have been read.

    Raises:
        ClientDisconnect: the client has left; the work was cancelled, and has come to its end.

    """
    watch = _Watch(request)
    try:
        return await work
    except asyncio.CancelledError as error:
        if watch.cancelled_it():
            raise ClientDisconnect from error
        raise
    finally:
        watch.end()


class _Watch:
    """Cancels the task that made it when the client of its request leaves."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._working = asyncio.current_task()
        self._left = False
        self._watching: asyncio.Task[None] | None = None
        self._later = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._begin)

    def cancelled_it(self) -> bool:
        """Whether the client left, and nobody else cancelled the task."""
        return self._left and self._working is not None and self._working.uncancel() == 0

    def end(self) -> None:
        self._later.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._left = True
        if self._working is not None:
            self._working.cancel()
