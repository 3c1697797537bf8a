"""Makes one call of many that wait.

A search costs a vector store much the same for one question as for twenty:
Milvus Lite copies and checks all rows for each call, and a server has to be
asked over the network. So, while as many calls as may be are under way, those
that come in wait, and what waits for the same kind of call goes out together.
An idle store is asked at once: nobody waits in the hope of company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Coalescer(Generic[K, Item, Result]):
    """Joins items with equal keys.

    Args:
        call: Does the work for a key and 1 to ``most`` items; gives a result for each, in order.
        concurrency: Calls that may be under way.
        most: Items of one call.

    """

    def __init__(
        self,
        call: Callable[[K, Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        concurrency: int,
        most: int,
    ) -> None:
        self._call = call
        self._free = concurrency
        self._most = most
        # In the order of the first that waits for each key.
        self._waiting: dict[K, list[tuple[Item, asyncio.Future[Result]]]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, key: K, item: Item) -> Result:
        """Give the result for one item, or raise what the call raised that it was part of."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.setdefault(key, []).append((item, future))
        # Not at once: what is submitted in the same turn of the loop shares the call.
        loop.call_soon(self._pump)
        return await future

    def _pump(self) -> None:
        while self._free and self._waiting:
            key = next(iter(self._waiting))
            waiting = [each for each in self._waiting.pop(key) if not each[1].done()]
            taken, left = waiting[: self._most], waiting[self._most :]
            if left:  # behind the other keys
                self._waiting[key] = left
            if taken:
                self._free -= 1
                task = asyncio.create_task(self._run(key, taken))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _run(self, key: K, taken: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._call(key, [item for item, _ in taken])
            for (_, future), result in zip(taken, results, strict=True):
                if not future.done():
                    future.set_result(result)
        except BaseException as error:
            for _, future in taken:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._free += 1
            self._pump()
