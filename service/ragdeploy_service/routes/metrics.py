"""``GET /metrics``, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from ragdeploy_service.rag.errors import JobQueueUnavailable, VectorStoreUnavailable
from ragdeploy_service.routes.dependencies import Parts

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse, summary="Metrics for Prometheus")
async def metrics(parts: Parts) -> PlainTextResponse:
    """Write all metrics in Prometheus's text format."""
    try:
        parts.metrics.pending_jobs(await parts.queue.pending())
    except JobQueueUnavailable:
        parts.metrics.pending_jobs(None)
    try:
        parts.metrics.size((await parts.size.look()).documents)
    except VectorStoreUnavailable:
        parts.metrics.size(None)
    return PlainTextResponse(
        parts.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )
