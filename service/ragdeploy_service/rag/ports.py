"""What the pipeline asks of the world outside. `adapters` implements these; tests may too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragdeploy_service.rag.models import (
    Answer,
    CacheState,
    Chunk,
    JobState,
    Part,
    Passage,
    Stage,
    Usage,
)

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


class VectorStore(Protocol):
    """Keeps chunks with their vectors, and finds the nearest.

    Every call may raise `VectorStoreUnavailable`, and `EmbeddingMismatch` if
    `open` found the collection to belong to another embedding model.
    """

    @property
    def opened(self) -> bool:
        """Whether `open` has succeeded, and the collection was there when it was last used."""
        ...

    async def open(self, *, dimension: int, fingerprint: str) -> None:
        """Connect, and make the collection if it is not there. May be called again.

        Raises:
            VectorStoreUnavailable: the server does not answer in time.
            EmbeddingMismatch: the collection holds vectors of another fingerprint.

        """
        ...

    async def chunk_ids(self, document_ids: Collection[str]) -> set[str]:
        """Ids of all chunks that stand in the store for these documents."""
        ...

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Write n chunks with vectors of shape (n, d); a chunk with the same id is replaced."""
        ...

    async def delete(self, chunk_ids: Collection[str]) -> None:
        """Drop chunks by id; those that are not there are passed over."""
        ...

    async def commit(self) -> None:
        """Return when every later search sees what was written, and is fast on it.

        Once at the end of a load, never for each write.
        """
        ...

    async def search(self, vector: Vectors, *, top_k: int, min_score: float) -> list[Passage]:
        """Find the passages nearest to one vector of shape (d,), best first."""
        ...

    async def count(self) -> int:
        """Number of chunks that can be found."""
        ...

    async def ping(self) -> None:
        """Return if the collection can be searched."""
        ...

    async def close(self) -> None:
        """Close the connection; what was written stays."""
        ...


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

    async def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the cache knows of a question.

    ``epoch`` names the state of the collection. It is read no later than
    ``answer``, and is None where nobody can say whether the collection has
    changed: then nothing may be kept or shared.
    """

    epoch: str | None
    answer: Answer | None = None


class AnswerCache(Protocol):
    """Keeps answers until the collection changes.

    An answer is kept with the epoch that was read *before* its passages were
    searched for. So an answer from the collection as it was before an index
    job can be stored after that job, but is never given out.
    """

    async def get(self, key: str) -> Lookup:
        """Look for an answer of the present epoch.

        Raises:
            CacheUnavailable: it does not answer.

        """
        ...

    async def put(self, key: str, answer: Answer, *, epoch: str) -> None:
        """Keep an answer that was made from the collection at ``epoch``.

        Raises:
            CacheUnavailable: it does not answer.

        """
        ...

    async def advance(self) -> None:
        """Begin a new epoch: no answer kept so far is given out again.

        Raises:
            CacheUnavailable: it does not answer, so old answers may still be given out.

        """
        ...

    async def ping(self) -> None:
        """Return if it answers.

        Raises:
            CacheUnavailable: it does not.

        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class Telemetry(Protocol):
    """Counts and measures; no call may fail or wait."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """One stage of a question or a job took this long."""
        ...

    def cache(self, state: CacheState) -> None:
        """A question was looked up in the cache."""
        ...

    def degraded(self, part: Part) -> None:
        """A question was answered without a part."""
        ...

    def llm_tokens(self, usage: Usage) -> None:
        """A language model counted tokens for an answer."""
        ...

    def job(self, state: JobState, *, documents: int) -> None:
        """A job came into a state."""
        ...
