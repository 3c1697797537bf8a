"""The vector store on Milvus: a server, or Milvus Lite in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection as Set
from collections.abc import Mapping, Sequence
from typing import Any

from pymilvus import AsyncMilvusClient

from ragdeploy_service.adapters.milvus_calls import Address, CollectionGone, within
from ragdeploy_service.adapters.milvus_lite import LiteServer
from ragdeploy_service.adapters.milvus_schema import VECTOR, Collection, any_of
from ragdeploy_service.rag.errors import EmbeddingMismatch, VectorStoreUnavailable
from ragdeploy_service.rag.models import Chunk, Passage
from ragdeploy_service.rag.ports import Vectors
from ragdeploy_service.settings import ServiceSettings

# Deadlines in seconds.
_READ, _WRITE, _OPEN, _COMMIT = 3.0, 20.0, 30.0, 60.0

# Most rows that Milvus gives in one answer (quotaAndLimits.limits.maxQueryResultWindow).
_MOST_ROWS = 16_384
_DELETED_AT_ONCE = 1_000

# Milvus Lite searches rows in memory one by one: 0.05 ms each, until they are flushed.
_LITE_UNFLUSHED_ROWS = 200

_OUTPUT = ["id", "doc_id", "position", "text", "metadata"]

# A query that goes all the way and finds nothing.
_NO_ROW: Mapping[str, Any] = {"filter": any_of("id", [""]), "output_fields": ["id"]}


class MilvusStore:
    """Implements `rag.ports.VectorStore`."""

    def __init__(self, address: Address, *, collection: str, lite: LiteServer | None) -> None:
        self._address = address
        self._collection = collection
        self._lite = lite
        self._client: AsyncMilvusClient | None = None
        self._opened = False
        self._mismatch: EmbeddingMismatch | None = None
        self._unflushed = 0

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> MilvusStore:
        """Make the store that the settings name; starts Milvus Lite if they name none.

        Raises:
            ConfigurationError: Milvus Lite cannot be started.

        """
        token = settings.milvus_token.get_secret_value() if settings.milvus_token else ""
        if settings.milvus_uri is not None:
            address = Address(
                uri=settings.milvus_uri, token=token, database=settings.milvus_database
            )
            return cls(address, collection=settings.collection, lite=None)
        lite = LiteServer(settings.data_dir / "milvus.db")
        address = Address(uri=lite.uri, token="", database="default")
        return cls(address, collection=settings.collection, lite=lite)

    @property
    def opened(self) -> bool:
        return self._opened

    async def open(self, *, dimension: int, fingerprint: str) -> None:
        collection = Collection(
            name=self._collection,
            dimension=dimension,
            fingerprint=fingerprint,
            # Exact, and ready at once after a restart; Lite's graph index is built anew each time.
            index_type="FLAT" if self._lite else "AUTOINDEX",
        )
        try:
            await within(_OPEN, "open", lambda: asyncio.to_thread(self._ensure, collection))
        except EmbeddingMismatch as error:
            self._mismatch = error
            raise
        self._mismatch = None
        # Never replaced: closing a client breaks off the calls of others that still use it.
        self._client = self._client or self._address.asynchronous()
        self._opened = True
        if self._lite:  # what a killed process left in the log of writes
            await self._flush()

    def _ensure(self, collection: Collection) -> None:
        client = self._address.blocking()
        try:
            collection.ensure(client, timeout=_OPEN / 3)
        finally:
            client.close()

    async def chunk_ids(self, document_ids: Set[str]) -> set[str]:
        rows = await self._rows(any_of("doc_id", document_ids))
        if len(rows) < _MOST_ROWS:
            return set(rows)
        if len(document_ids) > 1:  # more rows than one answer holds
            ids = sorted(document_ids)
            half = len(ids) // 2
            return await self.chunk_ids(ids[:half]) | await self.chunk_ids(ids[half:])
        return await self._all_rows(any_of("doc_id", document_ids))

    async def _all_rows(self, condition: str) -> set[str]:
        """Ids of one document's chunks, a range of positions at a time."""
        found: set[str] = set()
        step = _MOST_ROWS // 4  # room for the rows of several versions at one position
        start = 0
        while rows := await self._rows(
            f"{condition} and position >= {start} and position < {start + step}"
        ):
            found.update(rows)
            start += step
        return found

    async def _rows(self, condition: str) -> list[str]:
        rows = await self._call(
            "query",
            _WRITE,
            filter=condition,
            output_fields=["id"],
            limit=_MOST_ROWS,
            # Another replica may have written the version that is to be replaced.
            consistency_level="Strong",
        )
        return [row["id"] for row in rows]

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        rows = [
            {
                "id": chunk.id,
                "doc_id": chunk.document_id,
                "position": chunk.position,
                "text": chunk.text,
                "metadata": dict(chunk.metadata),
                VECTOR: vector,
            }
            for chunk, vector in zip(chunks, vectors, strict=True)
        ]
        await self._call("upsert", _WRITE, data=rows)
        self._unflushed += len(rows)

    async def delete(self, chunk_ids: Set[str]) -> None:
        ids = sorted(chunk_ids)
        for start in range(0, len(ids), _DELETED_AT_ONCE):
            part = ids[start : start + _DELETED_AT_ONCE]
            await self._call("delete", _WRITE, filter=any_of("id", part))
            self._unflushed += len(part)

    async def commit(self) -> None:
        if self._lite:
            if self._unflushed >= _LITE_UNFLUSHED_ROWS:
                await self._flush()
            return
        # Searches may lag behind writes (Bounded). A strong read returns when the server has
        # come to this moment, and from then on no search of anybody is older than that.
        await self._call("query", _COMMIT, **_NO_ROW, consistency_level="Strong")

    async def _flush(self) -> None:
        await self._call("flush", _COMMIT)
        await self._call("load_collection", _COMMIT)
        self._unflushed = 0

    async def search(self, vector: Vectors, *, top_k: int, min_score: float) -> list[Passage]:
        answers = await self._call(
            "search",
            _READ,
            data=[vector],
            anns_field=VECTOR,
            limit=top_k,
            output_fields=_OUTPUT,
        )
        return [_passage(hit) for hit in answers[0] if hit["distance"] >= min_score]

    async def count(self) -> int:
        rows = await self._call("query", _READ, filter="", output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    async def ping(self) -> None:
        await self._call("query", _READ, **_NO_ROW)

    async def close(self) -> None:
        self._opened = False
        if self._client is not None:
            await self._client.close()
        if self._lite:
            await asyncio.to_thread(self._lite.close)

    async def _call(self, method: str, seconds: float, **arguments: Any) -> Any:
        """Call the client's ``method`` on the collection and wait at most ``seconds``."""
        if not self._opened:
            raise self._mismatch or VectorStoreUnavailable("The vector store is not connected yet.")
        call = getattr(self._client, method)
        try:
            return await within(
                seconds, method, lambda: call(self._collection, timeout=seconds, **arguments)
            )
        except CollectionGone:
            self._opened = False
            raise


def _passage(hit: Any) -> Passage:
    row = hit["entity"]
    metadata = row["metadata"]
    chunk = Chunk(
        id=row["id"],
        document_id=row["doc_id"],
        position=row["position"],
        text=row["text"],
        metadata=json.loads(metadata) if isinstance(metadata, str | bytes) else metadata,
    )
    return Passage(chunk=chunk, score=float(hit["distance"]))
