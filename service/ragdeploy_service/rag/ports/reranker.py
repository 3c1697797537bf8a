"""Says how well passages answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Reads a question together with each passage, which finds more than comparing vectors."""

    @property
    def fingerprint(self) -> str:
        """Names all that changes the order: the model, its weights, the longest input."""
        ...

    async def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """Score each of n passages, n at least 1, in their order; the higher the better.

        Does not block the loop; what has not begun is dropped when the call is cancelled.

        Raises:
            RerankerUnavailable: it does not answer, or not for every passage.

        """
        ...

    async def close(self) -> None:
        """Stop worker threads and close connections."""
        ...
