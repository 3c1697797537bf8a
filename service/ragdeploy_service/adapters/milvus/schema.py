"""A collection as it stands in Milvus: its fields, its indexes, and whose vectors it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ragdeploy_service.adapters.milvus.library import DataType, Function, FunctionType, MilvusClient
from ragdeploy_service.rag.errors import EmbeddingMismatch
from ragdeploy_service.rag.models import CollectionId, SearchMode

VECTOR, WORDS, BM25 = "vector", "words", "bm25"

# Bytes of UTF-8, at most 65,535 (Milvus); see rag.indexing.chunking.MAX_TEXT_BYTES.
TEXT_BYTES = 65_535
_DOCUMENT_ID_BYTES = 512
_CHUNK_ID_BYTES = 64

# Kept on the collection, so that they cannot be parted from the vectors.
_FINGERPRINT = "ragdeploy.embedding"
_LAYOUT = "ragdeploy.layout"
_LAYOUT_VERSION = "2"

# As in Lucene and Milvus; Milvus Lite's own are others.
_BM25_PARAMETERS = {"bm25_k1": 1.2, "bm25_b": 0.75}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a server can do, as far as it matters here."""

    lite: bool
    bm25: bool

    @classmethod
    def of(cls, version: str) -> Server:
        """Tell it from the version: ``v2.6.1``, or ``milvus_lite-3.2.2``."""
        if version.startswith("milvus_lite"):
            return cls(lite=True, bm25=True)
        number = re.match(r"v?(\d+)\.(\d+)", version)
        known = (int(number[1]), int(number[2])) if number else (0, 0)
        return cls(lite=False, bm25=known >= (2, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What must hold of every collection that this service writes to."""

    dimension: int
    fingerprint: str

    def create(self, client: MilvusClient, name: str, server: Server, *, timeout: float) -> None:
        """Make a collection with its indexes, empty and not loaded.

        Raises:
            MilvusException: Milvus refuses or does not answer.

        """
        client.create_collection(
            name,
            schema=self._schema(client, server),
            properties={_FINGERPRINT: self.fingerprint, _LAYOUT: _LAYOUT_VERSION},
            consistency_level="Bounded",
            timeout=timeout,
        )
        indexes = client.prepare_index_params()
        if server.lite:
            # Exact. Our vectors have length 1, so that the inner product is the cosine; for COSINE,
            # Lite would work out the length of every row at every search: 19 ms for 12,000 rows
            # instead of 9.
            indexes.add_index(VECTOR, index_type="FLAT", metric_type="IP")
        else:
            indexes.add_index(VECTOR, index_type="AUTOINDEX", metric_type="COSINE")
        if server.bm25:
            indexes.add_index(
                BM25,
                index_type="SPARSE_INVERTED_INDEX",
                metric_type="BM25",
                params=_BM25_PARAMETERS,
            )
        # Nothing is there that could be indexed; loading waits for what it needs.
        client.create_index(name, indexes, timeout=timeout, sync=False)

    def _schema(self, client: MilvusClient, server: Server) -> Any:
        # The dynamic field holds what can be filtered by, see `milvus_filters`.
        schema = client.create_schema(
            auto_id=False, enable_dynamic_field=True, description="Chunks of documents, ragdeploy"
        )
        schema.add_field("id", DataType.VARCHAR, max_length=_CHUNK_ID_BYTES, is_primary=True)
        schema.add_field("doc_id", DataType.VARCHAR, max_length=_DOCUMENT_ID_BYTES)
        schema.add_field("position", DataType.INT64)
        schema.add_field("start", DataType.INT64)
        schema.add_field("text", DataType.VARCHAR, max_length=TEXT_BYTES)
        schema.add_field("metadata", DataType.JSON)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=self.dimension)
        if server.bm25:
            # `rag.indexing.analysis` has cut the text already. Milvus's own "standard" would cut
            # pairs of Chinese characters again; Lite's leaves them, and it has no "whitespace".
            tokenizer = "standard" if server.lite else "whitespace"
            schema.add_field(
                WORDS,
                DataType.VARCHAR,
                max_length=TEXT_BYTES,
                enable_analyzer=True,
                analyzer_params={"tokenizer": tokenizer},
            )
            schema.add_field(BM25, DataType.SPARSE_FLOAT_VECTOR)
            schema.add_function(
                Function(
                    name=BM25,
                    function_type=FunctionType.BM25,
                    input_field_names=[WORDS],
                    output_field_names=[BM25],
                )
            )
        return schema

    def fits(self, description: dict[str, Any]) -> bool:
        """Whether our vectors can be compared with those in a collection."""
        return _laid_out_like_ours(description) and _fingerprint(description) == self.fingerprint

    def check(self, description: dict[str, Any], collection: CollectionId) -> None:
        """See whether our vectors can be compared with those in a collection.

        Raises:
            EmbeddingMismatch: they cannot; says what to do.

        """
        readable(description, collection)
        if (found := _fingerprint(description)) != self.fingerprint:
            raise EmbeddingMismatch(
                f"The collection {collection.name!r} was indexed with the embedding model {found}, "
                f"and the service now runs {self.fingerprint}; their vectors cannot be compared. "
                "Go back to that model, or reindex the collection: "
                f"POST /collections/{collection.name}/reindex."
            )


def readable(description: dict[str, Any], collection: CollectionId) -> None:
    """See whether a collection has the fields that we know, whatever its vectors are.

    Raises:
        EmbeddingMismatch: it has not; says what to do.

    """
    if not _laid_out_like_ours(description):
        raise EmbeddingMismatch(
            f"The collection {collection.name!r} was made by another version of ragdeploy. "
            "Go back to that version, or delete the collection and index again."
        )


def _fingerprint(description: dict[str, Any]) -> str | None:
    return (description.get("properties") or {}).get(_FINGERPRINT)


def _laid_out_like_ours(description: dict[str, Any]) -> bool:
    return (description.get("properties") or {}).get(_LAYOUT) == _LAYOUT_VERSION


def modes(description: dict[str, Any]) -> frozenset[SearchMode]:
    """How a collection can be searched, by its fields."""
    if any(field["name"] == BM25 for field in description["fields"]):
        return frozenset(SearchMode)
    return frozenset({SearchMode.DENSE})
