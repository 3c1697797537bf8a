"""Turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names all that changes the vectors: model, weights, precision, longest input.

        Vectors of two fingerprints must not stand in one collection.
        """
        ...

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed n questions: float32 of shape (n, d), rows of length 1; they go before documents.

        Raises:
            EmbedderUnavailable: it does not answer, or too much waits for it already.

        """
        ...

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Embed n passages: float32 of shape (n, d), each row of length 1.

        Raises:
            EmbedderUnavailable: it does not answer, or too much waits for it already.

        """
        ...

    async def close(self) -> None:
        """Stop worker threads and close connections."""
        ...
