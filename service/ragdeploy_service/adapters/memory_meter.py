"""Counts what callers use where there is one replica."""

from __future__ import annotations

import time

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.accounts.ledger import Ledger
from ragdeploy_service.rag.ports import Reading


class MemoryMeter:
    """Implements `rag.ports.Meter` in the process."""

    def __init__(self) -> None:
        self._ledger = Ledger()

    async def admit(self, caller: Principal) -> Reading:
        return self._ledger.admit(caller, now=time.time())

    async def charge(self, caller: Principal, *, tokens: int) -> Reading:
        return self._ledger.charge(caller, tokens=tokens, now=time.time())

    async def close(self) -> None:
        """Nothing is open."""
