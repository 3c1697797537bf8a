"""Does the same work once for everyone who asks for it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
E = TypeVar("E")
V = TypeVar("V")


class SingleFlight(Generic[K, E, V]):
    """Joins callers with equal keys.

    The work runs in a task of its own, so a caller that is cancelled takes
    nothing from the others; when the last one is cancelled, so is the work.
    What the work tells on its way is heard by every caller, in order, and from the
    beginning by those who join later.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[E, V]] = {}

    async def run(
        self,
        key: K,
        work: Callable[[Callable[[E], None]], Awaitable[V]],
        *,
        listener: Callable[[E], None] | None = None,
    ) -> V:
        """Return what ``work`` returns, or raise what it raises; it runs once per key at a time.

        ``work`` is given a function to tell events with; each ``listener`` is called with them.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._start(key, work)
        flight.join(listener)
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.leave(listener)
            if not flight.waiting and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    def _start(self, key: K, work: Callable[[Callable[[E], None]], Awaitable[V]]) -> _Flight[E, V]:
        flight = self._flights[key] = _Flight(work)
        flight.task.add_done_callback(lambda _: self._forget(key, flight))
        return flight

    def _forget(self, key: K, flight: _Flight[E, V]) -> None:
        # A later flight may have the key by now.
        if self._flights.get(key) is flight:
            del self._flights[key]


class _Flight(Generic[E, V]):
    def __init__(self, work: Callable[[Callable[[E], None]], Awaitable[V]]) -> None:
        self.waiting = 0
        self._told: list[E] = []
        self._listeners: list[Callable[[E], None]] = []

        async def fly() -> V:
            return await work(self._tell)

        self.task = asyncio.create_task(fly())

    def join(self, listener: Callable[[E], None] | None) -> None:
        self.waiting += 1
        if listener is not None:
            for event in self._told:
                listener(event)
            self._listeners.append(listener)

    def leave(self, listener: Callable[[E], None] | None) -> None:
        self.waiting -= 1
        if listener is not None:
            self._listeners.remove(listener)

    def _tell(self, event: E) -> None:
        self._told.append(event)
        for listener in self._listeners:
            listener(event)
