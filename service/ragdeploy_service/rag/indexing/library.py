"""The documents of a collection: looking at them, and taking them away."""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Set
from dataclasses import dataclass

from ragdeploy_service.rag.errors import DocumentNotFound
from ragdeploy_service.rag.filters import Filter
from ragdeploy_service.rag.indexing.chunking import document_tag, tag_of, text_of
from ragdeploy_service.rag.models import CollectionId, Metadata, SearchMode
from ragdeploy_service.rag.ports import AnswerCache, Collection, DocumentPage, VectorStore

# Deleted in one call: a second or two of the store's work.
_MOST_DELETED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionInfo:
    """A collection as it is now; ``chunks`` can be found, in these ``modes``."""

    chunks: int
    modes: frozenset[SearchMode]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document as it stands in the store: its text is made of its ``chunks`` (their number)."""

    id: str
    text: str
    metadata: Metadata
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """How many documents went, and whether there are ``more`` that the filter is true of."""

    documents: int
    more: bool


class Library:
    """Collections and their documents.

    Every call may raise `VectorStoreUnavailable`; those that change something
    may raise `CacheUnavailable`, and then must be repeated: until the cache has
    heard of it, it may give out answers from what is no longer there.
    """

    def __init__(self, *, store: VectorStore, cache: AnswerCache) -> None:
        self._store = store
        self._cache = cache

    async def names(self, tenant: str) -> list[str]:
        """Names of a tenant's collections, sorted."""
        return await self._store.names(tenant)

    async def look(self, collection: CollectionId) -> CollectionInfo:
        """Describe a collection.

        Raises:
            CollectionNotFound: it is not there.

        """
        opened = await self._open(collection)
        return CollectionInfo(chunks=await opened.count(), modes=opened.modes)

    async def drop(self, collection: CollectionId) -> bool:
        """Delete a collection with all that is in it; False if it was not there."""
        dropped = await self._store.drop(collection)
        await self._cache.forget(collection)
        return dropped

    async def list(
        self, collection: CollectionId, *, where: Filter | None, page: str | None, limit: int
    ) -> DocumentPage:
        """List documents in an order that does not change.

        Raises:
            CollectionNotFound: the collection is not there.
            InvalidPage: ``page`` is not a ``next_page`` of this collection.

        """
        opened = await self._open(collection)
        return await opened.documents(where=where, page=page, limit=limit)

    async def get(self, collection: CollectionId, document_id: str) -> StoredDocument:
        """Fetch a document with its normalised text.

        Raises:
            CollectionNotFound, DocumentNotFound: it is not there.
            DocumentChanges: it is being replaced just now.

        """
        opened = await self._open(collection)
        chunks = await opened.chunks(document_id)
        if not chunks:
            raise DocumentNotFound("There is no such document in this collection.")
        return StoredDocument(
            id=document_id,
            text=text_of(chunks),
            metadata=chunks[0].metadata,
            chunks=len(chunks),
        )

    async def delete(self, collection: CollectionId, ids: Set[str]) -> int:
        """Delete documents by id, and return how many of them were there.

        Raises:
            CollectionNotFound: the collection is not there.

        """
        opened = await self._open(collection)
        deleted = await _delete(opened, ids)
        await self._forget(collection, opened)
        return deleted

    async def delete_where(self, collection: CollectionId, where: Filter) -> Deletion:
        """Delete documents that a filter is true of, at most 1,000.

        Raises:
            CollectionNotFound: the collection is not there.

        """
        opened = await self._open(collection)
        page = await opened.documents(where=where, page=None, limit=_MOST_DELETED)
        deleted = await _delete(opened, {document.id for document in page.documents})
        await self._forget(collection, opened)
        return Deletion(documents=deleted, more=page.next_page is not None)

    async def _open(self, collection: CollectionId) -> Collection:
        return await self._store.open(collection, create=False)

    async def _forget(self, collection: CollectionId, opened: Collection) -> None:
        """Let nobody be told what was deleted, by this call or by one that it repeats."""
        await opened.commit()
        await self._cache.forget(collection)


async def _delete(opened: Collection, ids: Several[str]) -> int:
    if not ids:
        return 0
    chunks = await opened.chunk_ids(set(ids))
    await opened.delete(chunks)
    tags = {tag_of(chunk) for chunk in chunks}
    return sum(document_tag(document) in tags for document in ids)
