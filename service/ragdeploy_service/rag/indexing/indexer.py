"""From documents to chunks that can be found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Sequence,
)
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.models import Chunk, CollectionId, Document, Stage
from ragdeploy_service.rag.ports import Collection, Embedder, Telemetry, VectorStore

# Enough for the embedding model to batch well, about two seconds of its work.
_SLICE = 128


_T = TypeVar("_T")


class Splitter(Protocol):
    """Cuts documents; `rag.indexing.chunking.Chunker` is the one in use."""

    def split(self, document: Document) -> list[Chunk]:
        """Cut one document; none come out of a document without text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What came of a load: chunks written, and a sentence for each document that gave none."""

    chunks: int
    errors: tuple[str, ...]


class Indexer:
    """Writes documents into the vector store, each once, however often it is run."""

    def __init__(
        self, *, splitter: Splitter, embedder: Embedder, store: VectorStore, telemetry: Telemetry
    ) -> None:
        self._splitter = splitter
        self._embedder = embedder
        self._store = store
        self._clock = Clock(telemetry)

    async def index(
        self,
        collection_id: CollectionId,
        documents: Sequence[Document],
        *,
        on_progress: Callable[[int], None],
    ) -> IndexReport:
        """Index documents and return when they can be found; makes the collection if need be.

        ``on_progress`` is told how many documents are done. Of two documents
        with one id the later counts. The old version of a document goes only
        after the new one is written.
        """
        collection = await self._store.open(collection_id, create=True)
        return await self.write(collection, documents, on_progress=on_progress)

    async def write(
        self,
        collection: Collection,
        documents: Sequence[Document],
        *,
        on_progress: Callable[[int], None],
    ) -> IndexReport:
        """Do the same in a collection that is open."""
        latest = {document.id: document for document in documents}
        errors: list[str] = []
        written = 0
        async with contextlib.aclosing(
            _ahead(self._slices(list(latest.values()), errors))
        ) as slices:
            async for done, chunks in slices:
                await self._replace(collection, chunks)
                written += len(chunks)
                on_progress(done)
        with self._clock(Stage.STORE):
            await collection.commit()
        return IndexReport(chunks=written, errors=tuple(errors))

    async def _slices(
        self, documents: Sequence[Document], errors: list[str]
    ) -> AsyncIterator[tuple[int, list[Chunk]]]:
        """Cut documents, and give the chunks of about as many as make a slice.

        With them goes how many documents that makes so far.
        """
        waiting: list[Chunk] = []
        for number, document in enumerate(documents, start=1):
            chunks = await self._split(document)
            if not chunks:
                errors.append(f"Document {document.id!r} has no text.")
            waiting += chunks
            if len(waiting) >= _SLICE or number == len(documents):
                yield number, waiting
                waiting = []

    async def _split(self, document: Document) -> list[Chunk]:
        with self._clock(Stage.CHUNK):
            return await asyncio.to_thread(self._splitter.split, document)

    async def _replace(self, collection: Collection, chunks: Sequence[Chunk]) -> None:
        """Write the chunks of some documents, and drop what these had before.

        A chunk that stands in the store already is the same to the last byte,
        so a load that was cut short goes on where it stopped.
        """
        if not chunks:
            return
        with self._clock(Stage.STORE):
            old = await collection.chunk_ids({chunk.document_id for chunk in chunks})
        # From the end, so that a document has its first chunk, by which lists show it, only when it
        # is whole: whoever sees it there need not hand it in again.
        new = [chunk for chunk in reversed(chunks) if chunk.id not in old]
        for start in range(0, len(new), _SLICE):
            part = new[start : start + _SLICE]
            with self._clock(Stage.EMBED):
                vectors = await self._embedder.embed_documents([chunk.in_context for chunk in part])
            with self._clock(Stage.STORE):
                await collection.upsert(part, vectors)
        if stale := old - {chunk.id for chunk in chunks}:
            with self._clock(Stage.STORE):
                await collection.delete(stale)


async def _ahead(items: AsyncIterator[_T]) -> AsyncGenerator[_T]:
    """Prepare the next item while the present one is worked on."""
    following = asyncio.ensure_future(anext(items, None))
    try:
        while (item := await following) is not None:
            following = asyncio.ensure_future(anext(items, None))
            yield item
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
