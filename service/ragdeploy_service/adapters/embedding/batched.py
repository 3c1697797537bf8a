"""The embedder that the service uses: an encoder behind a batcher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from ragdeploy_service.rag.concurrency.batching import Batcher, Lane, Limits
from ragdeploy_service.rag.ports import Vectors
from ragdeploy_service.rag.text import normalise


class Encoder(Protocol):
    """Turns one batch of texts into unit vectors."""

    @property
    def dimension(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count, without special ones; what follows is cut off."""
        ...

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Counts the model's tokens without cutting off; None if the model does not show it."""
        ...

    @property
    def concurrency(self) -> int:
        """Batches that it can work on at the same time."""
        ...

    async def encode(self, texts: list[str]) -> Vectors:
        """Embed n texts: float32 of shape (n, d), each row of length 1. Does not block the loop."""
        ...

    async def close(self) -> None: ...


class BatchedEmbedder:
    """Implements `rag.ports.Embedder`."""

    def __init__(
        self, encoder: Encoder, *, queries: Limits, documents: Limits, max_wait: float
    ) -> None:
        self._encoder = encoder
        self._batcher = Batcher(
            encoder.encode,
            concurrency=encoder.concurrency,
            queries=queries,
            documents=documents,
            cost=lambda text: min(estimated_tokens(text), encoder.max_tokens),
            max_wait=max_wait,
        )

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    @property
    def max_tokens(self) -> int:
        return self._encoder.max_tokens

    @property
    def tokenizer(self) -> Tokenizer | None:
        return self._encoder.tokenizer

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await self._embed(texts, Lane.QUERY)

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return await self._embed(texts, Lane.DOCUMENT)

    async def close(self) -> None:
        await self._batcher.close()
        await self._encoder.close()

    async def _embed(self, texts: Sequence[str], lane: Lane) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        # Half a surrogate pair in one text would fail every text of its batch.
        return await self._batcher.submit([normalise(text) for text in texts], lane)


def estimated_tokens(text: str) -> int:
    """Guess a text's tokens without a tokenizer: one for 4 bytes of UTF-8, and two at the ends.

    Close enough to size a batch: English words come out within a third, a
    Chinese character counts 0.75.
    """
    return 2 + len(text.encode()) // 4
