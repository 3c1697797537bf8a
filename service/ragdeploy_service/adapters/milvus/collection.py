"""One collection in Milvus: writing chunks and finding them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ragdeploy_service.adapters.milvus import rows as milvus_rows
from ragdeploy_service.adapters.milvus.calls import COMMIT, READ, WRITE, CollectionGone, within
from ragdeploy_service.adapters.milvus.catalog import Opened
from ragdeploy_service.adapters.milvus.filters import FIRST_CHUNKS, any_of, condition, literal
from ragdeploy_service.adapters.milvus.library import AsyncMilvusClient
from ragdeploy_service.adapters.milvus.pages import START, Place
from ragdeploy_service.adapters.milvus.rows import FIELDS
from ragdeploy_service.adapters.milvus.schema import BM25, VECTOR
from ragdeploy_service.rag.concurrency.coalescing import Coalescer
from ragdeploy_service.rag.errors import SearchModeUnsupported
from ragdeploy_service.rag.filters import Filter
from ragdeploy_service.rag.indexing.analysis import asked
from ragdeploy_service.rag.models import Chunk, Passage, SearchMode
from ragdeploy_service.rag.ports import DocumentEntry, DocumentPage, Vectors

# Most rows that Milvus gives in one answer (quotaAndLimits.limits.maxQueryResultWindow).
_MOST_ROWS = 16_384
# Rows with their text that are asked for at once, a megabyte or so.
_TEXTS_AT_ONCE = 1_000
_DELETED_AT_ONCE = 1_000

# Milvus Lite searches rows in memory one by one: 0.05 ms each, until they are flushed.
_LITE_UNFLUSHED_ROWS = 200

# A query that goes all the way and finds nothing.
NO_ROW: Mapping[str, Any] = {"filter": any_of("id", [""]), "output_fields": ["id"]}

# Calls to a server at a time, and questions in one call; more of either only makes them wait for
# each other's answers.
_SEARCHES = 4
_SEARCHED_TOGETHER = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What questions must have in common to be searched for together."""

    field: str
    top_k: int
    condition: str


class MilvusCollection:
    """Implements `rag.ports.Collection`.

    When another replica has let a new version take its place, a search goes on with that. A write
    does not: what its job wrote before is gone with the old version, so it must begin anew.
    """

    def __init__(
        self,
        client: AsyncMilvusClient,
        opened: Opened,
        *,
        again: Callable[[], Awaitable[MilvusCollection]] | None,
    ) -> None:
        """Make one of a version; ``again()`` opens what has taken its place, if that may be."""
        self._client = client
        self._opened = opened
        self._again = again
        self._unflushed = 0
        self._searches = Coalescer(
            self._search_together,
            # Milvus Lite shares our process, and searches one after the other anyway.
            concurrency=1 if opened.server.lite else _SEARCHES,
            most=_SEARCHED_TOGETHER,
        )
        self.gone = False

    @property
    def modes(self) -> frozenset[SearchMode]:
        return self._opened.modes

    async def search_dense(
        self, vector: Vectors, *, top_k: int, where: Filter | None
    ) -> list[Passage]:
        found = await self._search(vector, field=VECTOR, top_k=top_k, where=where)
        return [Passage(chunk=chunk, score=score, dense_score=score) for chunk, score in found]

    async def search_sparse(
        self, question: str, *, top_k: int, where: Filter | None
    ) -> list[Passage]:
        if SearchMode.SPARSE not in self.modes:
            raise SearchModeUnsupported(self._why_not_sparse())
        wanted = " ".join(asked(question))
        if not wanted:
            return []
        found = await self._search(wanted, field=BM25, top_k=top_k, where=where)
        return [
            # Milvus Lite gives the score with a minus sign.
            Passage(chunk=chunk, score=abs(score), sparse_score=abs(score))
            for chunk, score in found
        ]

    def _why_not_sparse(self) -> str:
        if self._opened.server.bm25:
            return (
                "This collection has no index of words, because Milvus could not make one when the "
                "collection was made. Reindex the collection, or search it with 'dense'."
            )
        return (
            "This Milvus server cannot search by words (BM25), which takes Milvus 2.5 or later. "
            "Search with 'dense', or upgrade Milvus and reindex the collection."
        )

    async def _search(
        self, query: Vectors | str, *, field: str, top_k: int, where: Filter | None
    ) -> list[tuple[Chunk, float]]:
        kind = _Search(field=field, top_k=top_k, condition=condition(where))
        hits = await within(READ, "search", lambda: self._searches.submit(kind, query))
        return [(milvus_rows.chunk(hit["entity"]), float(hit["distance"])) for hit in hits]

    async def _search_together(
        self, kind: _Search, queries: Sequence[Vectors | str]
    ) -> Sequence[Sequence[Any]]:
        """Hits of each query."""
        hits: Sequence[Sequence[Any]] = await self._read(
            "search",
            data=list(queries),
            anns_field=kind.field,
            limit=kind.top_k,
            filter=kind.condition,
            output_fields=FIELDS,
        )
        return hits

    async def chunk_ids(self, document_ids: Set[str]) -> set[str]:
        found = await self._ids(any_of("doc_id", sorted(document_ids)))
        if len(found) < _MOST_ROWS:
            return found
        if len(document_ids) > 1:  # more rows than one answer holds
            ids = sorted(document_ids)
            half = len(ids) // 2
            return await self.chunk_ids(set(ids[:half])) | await self.chunk_ids(set(ids[half:]))
        [document_id] = document_ids
        return {row["id"] for row in await self._pages(document_id, ["id"], step=_MOST_ROWS // 4)}

    async def _ids(self, where: str) -> set[str]:
        rows = await self._query(where, output=["id"], limit=_MOST_ROWS)
        return {row["id"] for row in rows}

    async def chunks(self, document_id: str) -> list[Chunk]:
        rows = await self._pages(document_id, FIELDS, step=_TEXTS_AT_ONCE)
        return sorted(map(milvus_rows.chunk, rows), key=lambda chunk: (chunk.position, chunk.start))

    async def _pages(self, document_id: str, output: Sequence[str], *, step: int) -> list[Any]:
        """Rows of one document, a range of positions at a time; there are no gaps between them."""
        found: list[Any] = []
        start = 0
        while rows := await self._query(
            f"doc_id == {literal(document_id)} "
            f"and position >= {start} and position < {start + step}",
            output=output,
            # Room for the rows of several versions, or several pieces, at one position.
            limit=_MOST_ROWS,
        ):
            found += rows
            start += step
        return found

    async def documents(
        self, *, where: Filter | None, page: str | None, limit: int
    ) -> DocumentPage:
        """See `rag.ports.Collection`; the order is that of the ids of the first chunks.

        `rag.indexing.chunking` begins the ids of a document's chunks alike, so old and new rows
        of a document that is being replaced stand together, and the list shows one.
        """
        place = START if page is None else Place.read(page)
        found: list[DocumentEntry] = []
        while rows := await self._first_rows(where, after=place, limit=limit + 1 - len(found)):
            for row in rows:
                if row["doc_id"] != place.document:
                    if len(found) == limit:
                        return DocumentPage(documents=tuple(found), next_page=place.write())
                    found.append(milvus_rows.entry(row))
                place = Place(row=row["id"], document=row["doc_id"])
        return DocumentPage(documents=tuple(found), next_page=None)

    async def _first_rows(self, where: Filter | None, *, after: Place, limit: int) -> list[Any]:
        """First rows of documents in the order of their ids."""
        parts = [FIRST_CHUNKS, f"id > {literal(after.row)}", condition(where)]
        rows: list[Any] = await self._read(
            "query",
            filter=" and ".join(filter(None, parts)),
            output_fields=["id", "doc_id", "metadata"],
            limit=limit,
            # Rows in the order of their ids, and none left out (as pymilvus's QueryIterator asks).
            iterator="True",
            reduce_stop_for_best="True",
        )
        return rows

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        if not chunks:
            return
        with_words = SearchMode.SPARSE in self.modes
        rows = [
            milvus_rows.row(chunk, vector, with_words=with_words)
            for chunk, vector in zip(chunks, vectors, strict=True)
        ]
        await self._call("upsert", WRITE, data=rows)
        self._unflushed += len(rows)

    async def delete(self, chunk_ids: Set[str]) -> None:
        ids = sorted(chunk_ids)
        for start in range(0, len(ids), _DELETED_AT_ONCE):
            part = ids[start : start + _DELETED_AT_ONCE]
            await self._call("delete", WRITE, filter=any_of("id", part))
            self._unflushed += len(part)

    async def commit(self) -> None:
        if self._opened.server.lite:
            if self._unflushed >= _LITE_UNFLUSHED_ROWS:
                await self.flush()
            return
        # Searches may lag behind writes (Bounded). A strong read returns when the server has
        # come to this moment, and from then on no search of anybody is older than that.
        await self._call("query", COMMIT, **NO_ROW, consistency_level="Strong")

    async def flush(self) -> None:
        """Let Milvus Lite search all rows at once and not one by one."""
        await self._call("flush", COMMIT)
        await self._call("load_collection", COMMIT)
        self._unflushed = 0

    async def count(self) -> int:
        rows = await self._read("query", filter="", output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    async def ping(self) -> None:
        """Return if this collection can be searched."""
        await self._call("query", READ, **NO_ROW)

    async def _query(self, where: str, *, output: Sequence[str], limit: int) -> list[Any]:
        rows: list[Any] = await self._call(
            "query",
            WRITE,
            filter=where,
            output_fields=list(output),
            limit=limit,
            # Another replica may have written the version that is to be replaced.
            consistency_level="Strong",
        )
        return rows

    async def _read(self, method: str, **arguments: Any) -> Any:
        """Call the client's ``method`` on the collection, or on what has taken its place."""
        try:
            return await self._call(method, READ, **arguments)
        except CollectionGone:
            if self._again is None:
                raise
        fresh = await self._again()
        return await fresh._call(method, READ, **arguments)

    async def _call(self, method: str, seconds: float, **arguments: Any) -> Any:
        """Call the client's ``method`` on the collection and wait at most ``seconds``."""
        call = getattr(self._client, method)
        name = self._opened.name
        try:
            return await within(seconds, method, lambda: call(name, timeout=seconds, **arguments))
        except CollectionGone:
            self.gone = True
            raise
