"""Does the same work once for all replicas that would begin it at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import uuid4

from ragdeploy_service.rag.errors import CacheUnavailable
from ragdeploy_service.rag.ports import Leases

_FIRST_PAUSE = 0.02  # seconds between two looks at the leader's work, doubled each time
_LONGEST_PAUSE = 0.2

T = TypeVar("T")


class Leading:
    """Lets one replica work while the others look for what comes of it.

    Whoever holds the lease of a name leads. A leader that dies, or whose work
    is good for itself alone, loses the lease, and the next one leads. Polled
    and not told by publishing: a message is lost on whoever subscribes a
    moment late, so one would have to look as well.
    """

    def __init__(self, leases: Leases | None) -> None:
        """Share work by these leases; with none there are no other replicas."""
        self._leases = leases

    async def once(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        *,
        look: Callable[[], Awaitable[T | None]],
    ) -> T:
        """Do the work called ``name``, or ``look`` until another replica has done it."""
        if self._leases is None:
            return await work()
        holder = uuid4().hex
        pause = _FIRST_PAUSE
        while True:
            try:
                leads = await self._leases.acquire(name, holder)
                found = await look()  # a leader too: the last one may just have ended
            except CacheUnavailable:
                return await work()
            if leads:
                async with self._held(self._leases, name, holder):
                    return await work() if found is None else found
            if found is not None:
                return found
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    @asynccontextmanager
    async def _held(self, leases: Leases, name: str, holder: str) -> AsyncIterator[None]:
        renewal = asyncio.create_task(_renew(leases, name, holder))
        try:
            yield
        finally:
            renewal.cancel()
            with contextlib.suppress(CacheUnavailable):  # then it ends by itself
                await leases.release(name, holder)


async def _renew(leases: Leases, name: str, holder: str) -> None:
    """Hold a lease until cancelled; who loses it works on, only no longer alone."""
    while True:
        await asyncio.sleep(leases.seconds / 3)
        with contextlib.suppress(CacheUnavailable):
            await leases.acquire(name, holder)
