"""What the pipeline asks of the world outside. `adapters` implements these; tests may too."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.filters import Filter
from ragdeploy_service.rag.models import (
    Answer,
    CacheState,
    Chunk,
    CollectionId,
    JobKind,
    JobState,
    Metadata,
    Part,
    Passage,
    SearchMode,
    Stage,
    Usage,
)
from ragdeploy_service.rag.quota import Counters, Policy

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    """Some documents of a collection, and where the next page begins; None after the last."""

    documents: tuple[DocumentEntry, ...]
    next_page: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry:
    """A document as a list shows it."""

    id: str
    metadata: Metadata


class Collection(Protocol):
    """An open collection: keeps chunks with their vectors, and finds the nearest.

    Every call may raise `VectorStoreUnavailable`, and `CollectionNotFound` if it was dropped.
    """

    @property
    def modes(self) -> frozenset[SearchMode]:
        """How it can be searched; `SearchMode.SPARSE` is missing where the server has no BM25."""
        ...

    async def search_dense(
        self, vector: Vectors, *, top_k: int, where: Filter | None
    ) -> list[Passage]:
        """Find the passages nearest to one vector of shape (d,), best first."""
        ...

    async def search_sparse(
        self, question: str, *, top_k: int, where: Filter | None
    ) -> list[Passage]:
        """Find the passages that share rare words with the question (BM25), best first.

        Raises:
            SearchModeUnsupported: this collection has no index of words; says why.

        """
        ...

    async def chunk_ids(self, document_ids: Set[str]) -> set[str]:
        """Ids of all chunks that stand in the store for these documents."""
        ...

    async def chunks(self, document_id: str) -> list[Chunk]:
        """All chunks of a document in the order of the text; none if there is no such document."""
        ...

    async def documents(
        self, *, where: Filter | None, page: str | None, limit: int
    ) -> DocumentPage:
        """List documents, each once, in an order that does not change.

        Raises:
            InvalidPage: ``page`` is not a ``next_page`` of this collection.

        """
        ...

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Write n chunks with vectors of shape (n, d); a chunk with the same id is replaced."""
        ...

    async def delete(self, chunk_ids: Set[str]) -> None:
        """Drop chunks by id; those that are not there are passed over."""
        ...

    async def commit(self) -> None:
        """Return when every later search sees what was written, and is fast on it.

        Once at the end of a load, never for each write.
        """
        ...

    async def count(self) -> int:
        """Number of chunks that can be found."""
        ...


class Rebuild(Protocol):
    """A new version of a collection in the making; the old one is searched until it is ready."""

    @property
    def old(self) -> Collection:
        """What is searched now, perhaps with vectors that are not ours."""
        ...

    @property
    def new(self) -> Collection:
        """What is written to, with our vectors."""
        ...

    async def promote(self) -> None:
        """Let the new version take the place of the old one, at once, and drop the old one.

        Raises:
            RebuildElsewhere: another new version was begun meanwhile.

        """
        ...


class VectorStore(Protocol):
    """Keeps the collections of all tenants, each apart from the others.

    Every call may raise `VectorStoreUnavailable`.
    """

    async def open(self, collection: CollectionId, *, create: bool) -> Collection:
        """Get a collection ready to be used; cheap when it was opened before.

        Raises:
            CollectionNotFound: it is not there, and ``create`` is false.
            EmbeddingMismatch: it holds vectors of another fingerprint.

        """
        ...

    async def names(self, tenant: str) -> list[str]:
        """Names of a tenant's collections, sorted."""
        ...

    async def rebuild(self, collection: CollectionId, *, restart: bool) -> Rebuild:
        """Begin a new version of a collection, or go on with the one that was begun.

        With ``restart``, one that was begun for vectors of another fingerprint is dropped.

        Raises:
            CollectionNotFound: there is nothing to make a new version of.
            RebuildElsewhere: without ``restart``, one was begun for another fingerprint.

        """
        ...

    async def drop(self, collection: CollectionId) -> bool:
        """Delete a collection with all that is in it; False if it was not there."""
        ...

    async def ping(self) -> None:
        """Return if the store can be searched."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the cache knows of a question.

    ``epoch`` names the state of its collection. It is read no later than
    ``answer``, and is None where nobody can say whether the collection has
    changed: then nothing may be kept or shared. ``stale`` is an answer of an
    earlier epoch, or one that has expired: better than none.
    """

    epoch: str | None
    answer: Answer | None = None
    stale: Answer | None = None


class AnswerCache(Protocol):
    """Keeps answers until the collection changes.

    An answer is kept with the epoch that was read *before* its passages were
    searched for. So an answer from the collection as it was before an index
    job can be stored after that job, but is never given out.
    """

    async def get(self, collection: CollectionId, key: str) -> Lookup:
        """Look for an answer of the collection's present epoch.

        Raises:
            CacheUnavailable: it does not answer.

        """
        ...

    async def put(self, collection: CollectionId, key: str, answer: Answer, *, epoch: str) -> None:
        """Keep an answer that was made from the collection at ``epoch``.

        Raises:
            CacheUnavailable: it does not answer.

        """
        ...

    async def advance(self, collection: CollectionId) -> None:
        """Begin a new epoch of a collection: what is kept so far is stale from now on.

        Raises:
            CacheUnavailable: it does not answer, so old answers may still be given out.

        """
        ...

    async def forget(self, collection: CollectionId) -> None:
        """Begin a new epoch, and give out nothing that was kept so far, as stale either.

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


class Leases(Protocol):
    """Lets one of several replicas do a thing, for as long as it says that it is alive."""

    @property
    def seconds(self) -> float:
        """Time after which a lease that was not renewed ends."""
        ...

    async def acquire(self, name: str, holder: str) -> bool:
        """Take or renew a lease; False if another holds it.

        Raises:
            CacheUnavailable: nobody can say.

        """
        ...

    async def release(self, name: str, holder: str) -> None:
        """Give a lease back; does nothing if another holds it.

        Raises:
            CacheUnavailable: it ends by itself, later.

        """
        ...


class Telemetry(Protocol):
    """Counts and measures; no call may fail or wait."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """One stage of a question or a job took this long."""
        ...

    def span(self, stage: Stage) -> AbstractContextManager[None]:
        """Stand around a stage in the trace of the present request or job."""
        ...

    def job_span(
        self, kind: JobKind, *, job_id: str, traceparent: str | None
    ) -> AbstractContextManager[None]:
        """Stand around a job, in the trace that it came with."""
        ...

    def generated(self, *, prompt: str, answer: str, usage: Usage | None) -> None:
        """A language model has answered, in the span of the present stage."""
        ...

    def cache(self, state: CacheState) -> None:
        """A question was looked up in the cache."""
        ...

    def degraded(self, part: Part) -> None:
        """A question was answered without a part."""
        ...

    def llm_call(self, caller: Principal, *, model: str, usage: Usage) -> None:
        """A language model wrote an answer for somebody."""
        ...

    def limited(self, policy: Policy) -> None:
        """A request was refused because its caller had used up a limit."""
        ...

    def job(self, state: JobState, *, documents: int) -> None:
        """A job came into a state."""
        ...
