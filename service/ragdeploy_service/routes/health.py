"""Probes for Kubernetes, and a page for people. None of them asks the language model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ragdeploy_service.problems import documented, problem
from ragdeploy_service.rag.errors import RagError
from ragdeploy_service.routes.dependencies import Parts
from ragdeploy_service.services import Services, default_collection

router = APIRouter(tags=["health"])

_LOOK_SECONDS = 2.0


class Alive(BaseModel):
    """The event loop turns."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Requests are answered."""

    status: Literal["ready"] = "ready"


class IndexState(BaseModel):
    """How much there is to be found."""

    documents: int = Field(description="Documents in all collections, some seconds ago.")
    generation: str | None = Field(
        description="Names the index of the default collection; another one after a reindex."
    )


class Health(BaseModel):
    """How the service is."""

    status: Literal["healthy", "degraded", "unhealthy", "draining"] = Field(
        description="degraded: answers come, but without a part; unhealthy: none come."
    )
    parts: dict[str, dict[str, Any]] | None = Field(
        None, description="Each part by itself; shown to whoever sends a key."
    )


@router.get("/health/live", summary="Is the process alive?")
async def live() -> Alive:
    """Answer from the event loop: if that is stuck, nothing answers, and a restart helps."""
    return Alive()


@router.get(
    "/health/ready",
    response_model=Ready,
    responses=documented(503),
    summary="May requests be sent here?",
)
async def ready(request: Request, parts: Parts) -> Ready | Response:
    """Ready when the model is loaded and the vector store has been reached since the start.

    While the store is away later, answers from before are still given: see the ladder.
    """
    if parts.drain.begun:
        return problem(request.scope, 503, "The service is shutting down.", kind="draining")
    if (reason := parts.monitor.not_ready) is not None:
        return problem(request.scope, 503, reason, kind="not-ready")
    return Ready()


@router.get("/health/index", responses=documented(503), summary="How much can be found?")
async def index_size(parts: Parts) -> IndexState:
    """Count the documents: for the operator, whose status tells of it. No key is needed."""
    found = await parts.size.look()
    return IndexState(documents=found.documents, generation=found.generation)


@router.get("/health", response_model_exclude_none=True, summary="How is each part?")
async def health(request: Request, parts: Parts) -> Health:
    """Look at every part; always 200, so that nobody restarts a service for a part outside it."""
    shown = await _parts(parts)
    return Health(
        status=_overall(parts, shown),
        parts=shown if request.state.principal else None,
    )


def _overall(
    parts: Services, shown: dict[str, dict[str, Any]]
) -> Literal["healthy", "degraded", "unhealthy", "draining"]:
    if parts.drain.begun:
        return "draining"
    if shown["vector_store"]["status"] != "ok":
        return "unhealthy"
    return (
        "healthy"
        if all(part["status"] in {"ok", "off"} for part in shown.values())
        else ("degraded")
    )


async def _parts(parts: Services) -> dict[str, dict[str, Any]]:
    store, cache, jobs = await asyncio.gather(
        _seen(_chunks(parts)), _seen(parts.cache.ping()), _seen(_pending(parts))
    )
    embedder = {"status": "ok", "model": parts.settings.embedding_model}
    llm = {"status": "ok", "model": parts.llm.name} if parts.llm else {"status": "off"}
    reranker = (
        {"status": "ok", "model": parts.settings.rerank_model}
        if parts.settings.rerank_backend
        else {"status": "off"}
    )
    return {
        "embedder": embedder,
        "reranker": reranker,
        "vector_store": store,
        "cache": cache if parts.settings.cache_enabled else {"status": "off"},
        "jobs": jobs,
        "llm": llm,
    }


async def _chunks(parts: Services) -> dict[str, Any]:
    collection = await parts.store.open(default_collection(parts.settings), create=False)
    return {"chunks": await collection.count()}


async def _pending(parts: Services) -> dict[str, Any]:
    return {"pending": await parts.queue.pending()}


async def _seen(look: Awaitable[dict[str, Any] | None]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return {"status": "ok", **(await look or {})}
    except RagError as error:
        return {"status": "down", "reason": str(error)}
    except TimeoutError:
        return {"status": "down", "reason": f"No answer within {_LOOK_SECONDS:g} s."}
