"""What the pipeline asks of the world outside. `adapters` implements these; tests may too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragdeploy_service.rag.models import Chunk, Passage, Usage

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
        """Embed n questions: float32 of shape (n, d), each row of length 1. They go before documents."""
        ...

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Embed n passages: float32 of shape (n, d), each row of length 1."""
        ...

    async def close(self) -> None:
        """Stop worker threads and close connections."""
        ...


class VectorStore(Protocol):
    """Keeps chunks with their vectors, and finds the nearest."""

    async def open(self, *, dimension: int, fingerprint: str) -> None:
        """Connect, and make the collection if it is not there.

        Raises:
            VectorStoreUnavailable: the server does not answer in time.
            EmbeddingMismatch: the collection holds vectors of another fingerprint.
        """
        ...

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Write n chunks with vectors of shape (n, d); a chunk with the same id is replaced."""
        ...

    async def delete_stale(self, document_id: str, *, keep: Sequence[str]) -> None:
        """Drop the chunks of a document whose ids are not in ``keep``."""
        ...

    async def search(self, vector: Vectors, *, top_k: int, min_score: float) -> list[Passage]:
        """Find the passages nearest to one vector of shape (d,), best first."""
        ...

    async def count(self) -> int:
        """Number of chunks that can be found."""
        ...

    async def ping(self) -> None:
        """Return if the store answers.

        Raises:
            VectorStoreUnavailable: it does not.
        """
        ...

    async def close(self) -> None: ...


class LanguageModel(Protocol):
    """Writes an answer from a prompt."""

    @property
    def name(self) -> str: ...

    async def complete(self, prompt: str) -> tuple[str, Usage | None]:
        """Answer a prompt within the configured deadline.

        Raises:
            LanguageModelUnavailable: no answer in time, after all retries.
        """
        ...

    async def close(self) -> None: ...
