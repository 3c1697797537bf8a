"""A bound on what happens at the same time; who comes too late is sent away, not kept waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ragdeploy_service.rag.errors import TooManyStreams


class Slots:
    """So many streams at once, and no more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot.

        Raises:
            TooManyStreams: none is free.

        """
        if self._taken >= self._most:
            raise TooManyStreams(
                f"{self._most} answers are being streamed already. Ask again in a few seconds, or "
                "without `stream`."
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
