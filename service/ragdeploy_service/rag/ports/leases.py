"""Lets one of several replicas do a thing."""

from __future__ import annotations

from typing import Protocol


class Leases(Protocol):
    """Lets one of several replicas do a thing, for as long as it says that it is alive."""

    @property
    def seconds(self) -> float:
        """Time after which a lease that was not renewed ends."""
        ...

    async def acquire(self, name: str, holder: str) -> bool:
        """Take or renew a lease; False if another holds it.

        Raises:
            CacheUnavailable: nobody can say.

        """
        ...

    async def release(self, name: str, holder: str) -> None:
        """Give a lease back; does nothing if another holds it.

        Raises:
            CacheUnavailable: it ends by itself, later.

        """
        ...
