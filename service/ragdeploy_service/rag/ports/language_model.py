"""Writes answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from ragdeploy_service.rag.models import (
    Usage,
)


class LanguageModel(Protocol):
    """Writes an answer from a prompt."""

    @property
    def name(self) -> str:
        """The model's name, as its server knows it."""
        ...

    async def complete(self, prompt: str) -> tuple[str, Usage | None]:
        """Answer a prompt within the configured deadline.

        Raises:
            LanguageModelUnavailable: no answer in time, after all retries.

        """
        ...

    def stream(self, prompt: str) -> AsyncGenerator[str | Usage]:
        """Answer a prompt piece by piece, and say at the end what it took, if that is known.

        At least one piece comes, and none is empty. Close the generator to give the answer
        up: whoever writes it is told to stop.

        Raises:
            LanguageModelUnavailable: no whole answer in time; after the first piece nothing is
                tried again.

        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
