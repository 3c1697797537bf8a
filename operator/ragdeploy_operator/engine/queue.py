"""A work queue of keys: each at most once in it, and never with two workers at a time.

After client-go's ``workqueue``. What is queued is only the name of something
that may need work; many events about it become one look at it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys that wait for work, in the order in which they came.

    ``get`` hands out a key, ``done`` gives it back. A key that is added while it
    is being worked on comes again after ``done``. A key can also be asked for
    later: it has at most one such appointment, and the last word counts.

    All of it runs on one event loop, whose clock it uses.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[K, float] = OrderedDict()  # since when
        self._working: dict[K, float] = {}  # since when
        self._again: set[K] = set()
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._available = asyncio.Event()
        self._progress = 0.0

    # ---- what brings keys in ----
    def add(self, key: K) -> None:
        """Have ``key`` worked on as soon as possible."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._now()
            self._available.set()

    def add_after(self, key: K, delay: float) -> None:
        """Have ``key`` worked on in ``delay`` seconds; replaces its earlier appointment."""
        self.cancel(key)
        self._later[key] = asyncio.get_running_loop().call_later(delay, self._due, key)

    def cancel(self, key: K) -> None:
        """Forget the appointment of ``key``."""
        if (timer := self._later.pop(key, None)) is not None:
            timer.cancel()

    # ---- what takes them out ----
    async def get(self) -> K:
        """The key that has waited longest; waits for one if need be."""
        while not self._waiting:
            self._available.clear()
            await self._available.wait()
        key, _ = self._waiting.popitem(last=False)
        self._working[key] = self._now()
        return key

    def done(self, key: K) -> None:
        """Say that the work on ``key`` has ended, well or not."""
        del self._working[key]
        self._progress = self._now()
        if key in self._again:
            self._again.remove(key)
            self.add(key)

    # ---- what others want to know ----
    def __len__(self) -> int:
        return len(self._waiting) + len(self._again)

    @property
    def age(self) -> float:
        """Seconds that the oldest key has waited for a worker; 0 when none waits."""
        return self._now() - next(iter(self._waiting.values())) if self._waiting else 0.0

    @property
    def stalled(self) -> float:
        """Seconds without any progress although there is work; 0 when there is none."""
        begun = [*self._waiting.values(), *self._working.values()]
        return self._now() - max(min(begun), self._progress) if begun else 0.0

    def _due(self, key: K) -> None:
        del self._later[key]
        self.add(key)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
