"""Chunks as rows of Milvus, and rows as chunks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ragdeploy_service.adapters.milvus.filters import attributes
from ragdeploy_service.adapters.milvus.schema import TEXT_BYTES, VECTOR, WORDS
from ragdeploy_service.rag.indexing.analysis import words
from ragdeploy_service.rag.models import Chunk, Metadata
from ragdeploy_service.rag.ports import DocumentEntry, Vectors

FIELDS = ["id", "doc_id", "position", "start", "text", "metadata"]
"""What `chunk` reads."""


def row(chunk: Chunk, vector: Vectors, *, with_words: bool) -> dict[str, Any]:
    """Write a chunk with its vector of shape (d,), and its words where they are searched."""
    made = {
        "id": chunk.id,
        "doc_id": chunk.document_id,
        "position": chunk.position,
        "start": chunk.start,
        "text": chunk.text,
        "metadata": dict(chunk.metadata),
        VECTOR: vector,
        **attributes(chunk.metadata),
    }
    if with_words:
        made[WORDS] = _fitting(words(chunk.in_context))
    return made


def chunk(found: Any) -> Chunk:
    """Read what `row` wrote, but for the vector."""
    return Chunk(
        id=found["id"],
        document_id=found["doc_id"],
        position=found["position"],
        start=found["start"],
        text=found["text"],
        metadata=_metadata(found),
    )


def entry(found: Any) -> DocumentEntry:
    """Read which document a row is of."""
    return DocumentEntry(id=found["doc_id"], metadata=_metadata(found))


def _metadata(found: Any) -> Metadata:
    metadata = found["metadata"]
    read: Metadata = json.loads(metadata) if isinstance(metadata, str | bytes) else metadata
    return read


def _fitting(found: Sequence[str]) -> str:
    """As many words as a field holds; a chunk has fewer unless it is no text of a language."""
    data = " ".join(found).encode()
    if len(data) > TEXT_BYTES:
        data = data[:TEXT_BYTES].rpartition(b" ")[0]
    return data.decode()
