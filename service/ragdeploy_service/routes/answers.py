"""What an answer looks like on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from ragdeploy_service.rag.answering.citations import cited
from ragdeploy_service.rag.answering.pipeline import Outcome, Retrieval
from ragdeploy_service.rag.models import AnswerMode, CacheState, Part, Passage, Stage


class Source(BaseModel):
    """A passage that the answer rests on."""

    id: str = Field(description="Id of the passage.")
    doc_id: str = Field(description="Id of its document.")
    text: str
    score: float = Field(
        description="What the sources are ordered by: cosine similarity (dense), BM25 (sparse), "
        "reciprocal rank (hybrid), or what the reranker says."
    )
    dense_score: float | None = Field(
        description="Cosine similarity to the question, -1 to 1; null if not found by meaning."
    )
    sparse_score: float | None = Field(description="BM25 score; null if not found by words.")
    rerank_score: float | None = Field(description="The reranker's score; null if not reranked.")
    metadata: dict[str, Any] = Field(description="As it was given with the document.")
    citation: int = Field(description="The number that stands for it in the answer, as in [1].")


class TokenUsage(BaseModel):
    """Tokens that the language model counted."""

    prompt_tokens: int
    completion_tokens: int


class RetrieveResponse(BaseModel):
    """The passages nearest to a question."""

    sources: list[Source] = Field(description="Best first.")
    degraded: list[Part] = Field(description="Parts that did not answer and were done without.")
    latency_ms: float
    request_id: str
    timings: dict[Stage, float] = Field(description="Milliseconds by stage.")


class QueryResponse(BaseModel):
    """An answer and what it rests on."""

    answer: str
    sources: list[Source] = Field(description="The nearest passages, best first.")
    citations: list[int] = Field(
        description="Numbers of the sources that the answer cites, in its order. A number that "
        "stands for no source is taken out of the answer."
    )
    latency_ms: float
    cached: CacheState = Field(description="Whether the answer was given before.")
    mode: AnswerMode = Field(description="Whether a model wrote the answer, or it quotes.")
    degraded: list[Part] = Field(description="Parts that did not answer and were done without.")
    request_id: str
    usage: TokenUsage | None = Field(description="Null if no language model was asked for this.")
    timings: dict[Stage, float] = Field(description="Milliseconds by stage.")


def answer(outcome: Outcome, *, seconds: float, request_id: str) -> QueryResponse:
    """An answer as the API shows it; ``seconds`` have gone by since it was asked for."""
    made = outcome.answer
    return QueryResponse.model_construct(
        answer=made.text,
        sources=sources(made.passages),
        citations=list(cited(made.text, sources=len(made.passages))),
        latency_ms=_milliseconds(seconds),
        cached=outcome.cached,
        mode=made.mode,
        degraded=list(made.degraded),
        request_id=request_id,
        usage=usage(outcome),
        timings=_rounded(outcome.timings),
    )


def passages(found: Retrieval, *, seconds: float, request_id: str) -> RetrieveResponse:
    """Passages without an answer as the API shows them."""
    return RetrieveResponse.model_construct(
        sources=sources(found.passages),
        degraded=list(found.degraded),
        latency_ms=_milliseconds(seconds),
        request_id=request_id,
        timings=_rounded(found.timings),
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
            rerank_score=_score(passage.rerank_score),
            metadata=dict(passage.chunk.metadata),
            citation=number,
        )
        for number, passage in enumerate(passages, start=1)
    ]


def usage(outcome: Outcome) -> TokenUsage | None:
    """Tokens that were spent for this answer; None for one that was kept from an earlier one."""
    counted = outcome.answer.usage
    if counted is None or outcome.cached is not CacheState.NONE:
        return None
    return TokenUsage.model_construct(
        prompt_tokens=counted.prompt_tokens, completion_tokens=counted.completion_tokens
    )


def as_json(response: QueryResponse | RetrieveResponse) -> Response:
    """Serialise it here: FastAPI would check the fields of our own answer first.

    The headers say where the time went (Server-Timing, W3C), and whether a cache answered.
    """
    stages = [f"{stage};dur={value}" for stage, value in response.timings.items()]
    headers = {"Server-Timing": ", ".join([*stages, f"total;dur={response.latency_ms}"])}
    if isinstance(response, QueryResponse):
        headers["X-Cache"] = response.cached
    return Response(response.model_dump_json(), headers=headers, media_type="application/json")


def _score(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _rounded(timings: Mapping[Stage, float]) -> dict[Stage, float]:
    return {stage: round(value, 3) for stage, value in timings.items()}
