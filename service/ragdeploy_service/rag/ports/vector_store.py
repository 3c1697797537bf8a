"""Keeps chunks with their vectors, and finds them."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from ragdeploy_service.rag.filters import Filter
from ragdeploy_service.rag.models import (
    Chunk,
    CollectionId,
    Metadata,
    Passage,
    SearchMode,
)
from ragdeploy_service.rag.ports.embedder import Vectors


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


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSize:
    """How much there is to be found, of all tenants together."""

    documents: int
    generation: str | None
    """Names the version of a collection that is searched; another one after a reindex."""


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

    async def size(self, collection: CollectionId) -> IndexSize:
        """Count the documents of all collections; the generation is that of ``collection``.

        A document that is being replaced may count twice for a moment.
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
