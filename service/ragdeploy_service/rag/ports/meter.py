"""Counts what callers use, over all replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.quota import Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a meter showed of one caller at ``now``, in seconds since 1970."""

    counters: Counters
    now: float
    admitted: bool = True


class Meter(Protocol):
    """Counts what callers use, over all replicas if it can.

    No call fails: what cannot be counted together is counted in this process alone.
    """

    async def admit(self, caller: Principal) -> Reading:
        """Count a request if the caller has one left."""
        ...

    async def charge(self, caller: Principal, *, tokens: int) -> Reading:
        """Count tokens of a language model."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
