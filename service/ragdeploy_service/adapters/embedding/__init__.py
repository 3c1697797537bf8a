"""Turns texts into vectors."""

from __future__ import annotations

import asyncio

import structlog

from ragdeploy_service.adapters.embedding.batched import (
    BatchedEmbedder,
    Encoder,
    estimated_tokens,
)
from ragdeploy_service.adapters.embedding.cpus import available_cpus
from ragdeploy_service.adapters.models.embedding import ensure_model
from ragdeploy_service.adapters.models.int8 import ensure_int8
from ragdeploy_service.rag.concurrency.batching import Limits
from ragdeploy_service.rag.indexing.chunking import Chunker
from ragdeploy_service.rag.models import TITLE_BYTES
from ragdeploy_service.settings import (
    EmbeddingBackend,
    EmbeddingPrecision,
    EmbeddingProvider,
    ServiceSettings,
)

__all__ = ["BatchedEmbedder", "load_chunker", "load_embedder"]

# A question of 1,000 characters has about 250 tokens, so a batch holds four of the longest.
_QUERY_TOKENS = 1024
# One full chunk, or a few short ones. More only cost: 300 chunks take 9 s of processor time in
# batches of 256 or 512 tokens and 11 s in batches of 2048, and a question waits for a batch to end.
_DOCUMENT_TOKENS = 256
# Left free in each chunk for its document's title, which is embedded with it.
_TITLE_TOKENS = TITLE_BYTES // 4
_QUEUED_QUERIES = 1024
_QUEUED_DOCUMENTS = 16_384


_log = structlog.get_logger(__name__)


async def load_embedder(settings: ServiceSettings) -> BatchedEmbedder:
    """Make the embedder that the settings ask for; fetches the model if it is not there.

    Raises:
        ModelUnavailable: the model's files cannot be had or used.
        EmbedderUnavailable: a remote server does not answer in time; it may later.
    """
    encoder = await _load_encoder(settings)
    return BatchedEmbedder(
        encoder,
        queries=Limits(
            max_texts=settings.batch_max_size,
            max_tokens=_QUERY_TOKENS,
            max_queued=_QUEUED_QUERIES,
        ),
        documents=Limits(max_texts=32, max_tokens=_DOCUMENT_TOKENS, max_queued=_QUEUED_DOCUMENTS),
        max_wait=settings.batch_max_wait_ms / 1000,
    )


def load_chunker(settings: ServiceSettings, embedder: BatchedEmbedder) -> Chunker:
    """Make the chunker that fits the embedder: what it would cut off is never in a chunk."""
    size = min(settings.chunk_size, embedder.max_tokens - _TITLE_TOKENS)
    if size < settings.chunk_size:
        _log.warning(
            "chunks are shorter than asked for, because the embedding model reads no more",
            asked=settings.chunk_size,
            tokens=size,
        )
    overlap = min(settings.chunk_overlap, size // 2)
    return Chunker(embedder.tokenizer or estimated_tokens, size=size, overlap=overlap)


async def _load_encoder(settings: ServiceSettings) -> Encoder:
    """Import the one that is asked for: each brings a library that takes its time to load."""
    if settings.embedding_provider is EmbeddingProvider.OPENAI:
        from ragdeploy_service.adapters.embedding.openai_api import OpenAIEncoder

        return await OpenAIEncoder.connect(settings)
    if settings.embedding_backend is EmbeddingBackend.TORCH:
        from ragdeploy_service.adapters.embedding.sentence_transformers import TorchEncoder

        return await asyncio.to_thread(TorchEncoder, settings, threads=available_cpus())
    from ragdeploy_service.adapters.embedding.onnx import OnnxEncoder

    files = await ensure_model(settings)
    if settings.embedding_precision is EmbeddingPrecision.INT8:
        files = await ensure_int8(files, settings)
    return await asyncio.to_thread(
        OnnxEncoder, files, name=settings.embedding_model, workers=available_cpus()
    )
