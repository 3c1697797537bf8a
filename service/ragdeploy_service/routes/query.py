"""``POST /query``: a question in, an answer with its sources out; ``/retrieve`` stops before it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.models import AnswerMode, CacheState, Part, Passage, Stage, Usage
from ragdeploy_service.rag.pipeline import Outcome
from ragdeploy_service.routes.dependencies import Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, Payer, needs
from ragdeploy_service.routes.questions import QUESTION_BYTES, QueryRequest, RetrieveRequest

router = APIRouter(tags=["ask"], route_class=GuardedRoute)

_PROBLEMS = documented(401, 403, 404, 413, 415, 422, 429, 503, 504)


class Source(BaseModel):
    """A passage that the answer rests on."""

    id: str = Field(description="Id of the passage.")
    doc_id: str = Field(description="Id of its document.")
    text: str
    score: float = Field(
        description="What the sources are ordered by: cosine similarity (dense), BM25 (sparse), or "
        "reciprocal rank (hybrid)."
    )
    dense_score: float | None = Field(
        description="Cosine similarity to the question, -1 to 1; null if not found by meaning."
    )
    sparse_score: float | None = Field(description="BM25 score; null if not found by words.")
    metadata: dict[str, Any] = Field(description="As it was given with the document.")
    citation: int = Field(description="The number that stands for it in the answer, as in [1].")


class TokenUsage(BaseModel):
    """Tokens that the language model counted."""

    prompt_tokens: int
    completion_tokens: int


class RetrieveResponse(BaseModel):
    """The passages nearest to a question."""

    sources: list[Source] = Field(description="Best first.")
    latency_ms: float
    request_id: str
    timings: dict[Stage, float] = Field(description="Milliseconds by stage.")


class QueryResponse(BaseModel):
    """An answer and what it rests on."""

    answer: str
    sources: list[Source] = Field(description="The nearest passages, best first.")
    latency_ms: float
    cached: CacheState = Field(description="Whether the answer was given before.")
    mode: AnswerMode = Field(description="Whether a model wrote the answer, or it quotes.")
    degraded: list[Part] = Field(description="Parts that did not answer and were done without.")
    request_id: str
    usage: TokenUsage | None = Field(description="Null if no language model was asked for this.")
    timings: dict[Stage, float] = Field(description="Milliseconds by stage.")


@router.post(
    "/query",
    dependencies=[needs(Access.QUERY, most_bytes=QUESTION_BYTES)],
    response_model=QueryResponse,
    responses=_PROBLEMS,
    summary="Answer a question",
)
async def query(
    body: QueryRequest, request: Request, parts: Parts, tenant: Tenant, account: Payer
) -> Response:
    """Answer a question from the indexed documents.

    Without a language model, or when it does not answer, the answer quotes the
    documents: `mode` is then `extractive`.
    """
    started = time.perf_counter()
    question = body.to_domain(parts.settings, tenant=tenant, use_cache=body.use_cache)
    outcome = await parts.pipeline.ask(question, account)
    return _json(
        QueryResponse.model_construct(
            answer=outcome.answer.text,
            sources=sources(outcome.answer.passages),
            latency_ms=_milliseconds(time.perf_counter() - started),
            cached=outcome.cached,
            mode=outcome.answer.mode,
            degraded=list(outcome.answer.degraded),
            request_id=request.state.request_id,
            usage=_usage(outcome),
            timings=_rounded(outcome.timings),
        )
    )


@router.post(
    "/retrieve",
    dependencies=[needs(Access.QUERY, most_bytes=QUESTION_BYTES)],
    response_model=RetrieveResponse,
    responses=_PROBLEMS,
    summary="Find passages for a question",
)
async def retrieve(
    body: RetrieveRequest, request: Request, parts: Parts, tenant: Tenant
) -> Response:
    """Find the passages that `/query` would answer from; asks no language model and no cache."""
    started = time.perf_counter()
    found = await parts.pipeline.retrieve(body.to_domain(parts.settings, tenant=tenant))
    return _json(
        RetrieveResponse.model_construct(
            sources=sources(found.passages),
            latency_ms=_milliseconds(time.perf_counter() - started),
            request_id=request.state.request_id,
            timings=_rounded(found.timings),
        )
    )


def sources(passages: tuple[Passage, ...]) -> list[Source]:
    """Passages as the API shows them, numbered from 1."""
    return [
        Source.model_construct(
            id=passage.chunk.id,
            doc_id=passage.chunk.document_id,
            text=passage.chunk.shown,
            score=round(passage.score, 6),
            dense_score=_score(passage.dense_score),
            sparse_score=_score(passage.sparse_score),
            metadata=dict(passage.chunk.metadata),
            citation=number,
        )
        for number, passage in enumerate(passages, start=1)
    ]


def _json(response: BaseModel) -> Response:
    """Serialised here: FastAPI would check the fields of our own answer first."""
    return Response(response.model_dump_json(), media_type="application/json")


def _score(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _rounded(timings: Mapping[Stage, float]) -> dict[Stage, float]:
    return {stage: round(value, 3) for stage, value in timings.items()}


def _usage(outcome: Outcome) -> TokenUsage | None:
    usage: Usage | None = outcome.answer.usage
    if usage is None or outcome.cached is not CacheState.NONE:
        return None
    return TokenUsage.model_construct(
        prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
    )
