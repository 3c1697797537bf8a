"""The collection as it stands in Milvus: its fields, its index, and whose vectors it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pymilvus import DataType, MilvusClient

from ragdeploy_service.rag.errors import EmbeddingMismatch

VECTOR = "vector"

# Bytes of UTF-8, at most 65,535 (Milvus); see rag.chunking.MAX_TEXT_BYTES.
_TEXT_BYTES = 65_535
_DOCUMENT_ID_BYTES = 512
_CHUNK_ID_BYTES = 64

# Kept on the collection, so that they cannot be parted from the vectors.
_FINGERPRINT = "ragdeploy.embedding"
_LAYOUT = "ragdeploy.layout"
_LAYOUT_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection and what must hold of it."""

    name: str
    dimension: int
    fingerprint: str
    index_type: str

    def ensure(self, client: MilvusClient, *, timeout: float) -> None:
        """Make the collection with its index if it is not there, and load it.

        Safe to call from several replicas at once and again after a crash
        between two of the steps.

        Raises:
            EmbeddingMismatch: it is there, with vectors of another model.
            MilvusException: Milvus refuses or does not answer.

        """
        if not client.has_collection(self.name, timeout=timeout):
            client.create_collection(
                self.name,
                schema=self._schema(client),
                properties={_FINGERPRINT: self.fingerprint, _LAYOUT: _LAYOUT_VERSION},
                consistency_level="Bounded",
                timeout=timeout,
            )
        self._check(client.describe_collection(self.name, timeout=timeout))
        if not client.list_indexes(self.name, field_name=VECTOR):
            index = client.prepare_index_params()
            index.add_index(VECTOR, index_type=self.index_type, metric_type="COSINE")
            client.create_index(self.name, index, timeout=timeout)
        client.load_collection(self.name, timeout=timeout)

    def _schema(self, client: MilvusClient) -> Any:
        schema = client.create_schema(
            auto_id=False, enable_dynamic_field=False, description="Chunks of documents, ragdeploy"
        )
        schema.add_field("id", DataType.VARCHAR, max_length=_CHUNK_ID_BYTES, is_primary=True)
        schema.add_field("doc_id", DataType.VARCHAR, max_length=_DOCUMENT_ID_BYTES)
        schema.add_field("position", DataType.INT64)
        schema.add_field("text", DataType.VARCHAR, max_length=_TEXT_BYTES)
        schema.add_field("metadata", DataType.JSON)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=self.dimension)
        return schema

    def _check(self, description: dict[str, Any]) -> None:
        properties = description.get("properties") or {}
        found = properties.get(_FINGERPRINT)
        if found == self.fingerprint and properties.get(_LAYOUT) == _LAYOUT_VERSION:
            return
        if found is None:
            raise EmbeddingMismatch(
                f"The collection {self.name!r} was not made by ragdeploy. "
                "Choose another name with RAG_COLLECTION."
            )
        raise EmbeddingMismatch(
            f"The collection {self.name!r} was indexed with the embedding model {found}, "
            f"and the service now runs {self.fingerprint}; their vectors cannot be compared. "
            "Go back to that model, or choose another RAG_COLLECTION and index again."
        )


def any_of(field: str, values: Iterable[str]) -> str:
    """Write the filter "field is one of these".

    Values stand as JSON strings, whose escapes Milvus reads, so no value can
    end its literal (mem0#5744, agno#8823). Milvus Lite rejects filter
    templates, which would be the other way.
    """
    return f"{field} in [{', '.join(json.dumps(value, ensure_ascii=False) for value in values)}]"
