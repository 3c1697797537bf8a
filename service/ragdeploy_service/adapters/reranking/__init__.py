"""Scores passages for a question."""

from __future__ import annotations

import asyncio

from ragdeploy_service.adapters.embedding.cpus import available_cpus
from ragdeploy_service.adapters.models.cross_encoder import ensure_reranker
from ragdeploy_service.rag.ports import Reranker
from ragdeploy_service.settings import RerankBackend, ServiceSettings


async def load_reranker(settings: ServiceSettings) -> Reranker | None:
    """Make the reranker that the settings ask for; fetches its model if it is not there.

    Raises:
        ModelUnavailable: the model's files cannot be had or used.
    """
    if settings.rerank_backend is None:
        return None
    if settings.rerank_backend is RerankBackend.ONNX:
        # Here, because a service without one need not load it.
        from ragdeploy_service.adapters.reranking.onnx import OnnxReranker

        files = await ensure_reranker(settings)
        return await asyncio.to_thread(
            OnnxReranker, files, name=settings.rerank_model, workers=available_cpus()
        )
    from ragdeploy_service.adapters.reranking.http import HttpReranker

    return HttpReranker(settings)
