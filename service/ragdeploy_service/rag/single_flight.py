"""Does the same work once for everyone who asks for it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Joins callers with equal keys.

    The work runs in a task of its own, so a caller that is cancelled takes
    nothing from the others; when the last one is cancelled, so is the work.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[V]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """Return what ``work`` returns, or raise what it raises; it runs once per key at a time."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._start(key, work)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    def _start(self, key: K, work: Callable[[], Awaitable[V]]) -> _Flight[V]:
        async def fly() -> V:
            return await work()

        flight = self._flights[key] = _Flight(asyncio.create_task(fly()))
        flight.task.add_done_callback(lambda _: self._forget(key, flight))
        return flight

    def _forget(self, key: K, flight: _Flight[V]) -> None:
        # A later flight may have the key by now.
        if self._flights.get(key) is flight:
            del self._flights[key]


class _Flight(Generic[V]):
    def __init__(self, task: asyncio.Task[V]) -> None:
        self.task = task
        self.waiting = 0
