"""A bound on what happens at the same time; who comes too late is sent away, not kept waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ragdeploy_service.rag.errors import Unavailable


class Slots:
    """So many of a kind at once, and no more."""

    def __init__(self, most: int, *, refusal: Unavailable) -> None:
        """Let in at most so many, and raise ``refusal`` for others."""
        self._most = most
        self._refusal = refusal
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Unavailable: none is free; the refusal.

        """
        if self._taken >= self._most:
            raise self._refusal
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
