"""``POST /query``: a question in, an answer with its sources out."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.models import AnswerMode, CacheState, Part, Stage, Usage
from ragdeploy_service.rag.pipeline import Outcome
from ragdeploy_service.routes.dependencies import Parts

router = APIRouter(tags=["ask"])

_REFUSED = frozenset("<>{}")


class QueryRequest(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000)
    ] = Field(
        description="3 to 1000 characters, none of them < > { or }.",
        examples=["How do I scale the API?"],
    )
    top_k: int | None = Field(
        None,
        ge=1,
        le=50,
        description="Passages to answer from; 3, unless the service is set up otherwise.",
    )
    use_cache: bool = Field(True, description="Whether an answer given before will do.")

    @field_validator("question")
    @classmethod
    def _plain(cls, value: str) -> str:
        if _REFUSED & set(value):
            raise ValueError("The characters < > { } are not taken; leave them out.")
        return value


class Source(BaseModel):
    """A passage that the answer rests on."""

    id: str = Field(description="Id of the passage.")
    doc_id: str = Field(description="Id of its document.")
    text: str
    score: float = Field(description="Cosine similarity to the question, -1 to 1.")
    metadata: dict[str, Any] = Field(description="As it was given with the document.")
    citation: int = Field(description="The number that stands for it in the answer, as in [1].")


class TokenUsage(BaseModel):
    """Tokens that the language model counted."""

    prompt_tokens: int
    completion_tokens: int


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
    response_model=QueryResponse,
    responses=documented(401, 403, 413, 415, 422, 503, 504),
    summary="Answer a question",
)
async def query(body: QueryRequest, request: Request, parts: Parts) -> Response:
    """Answer a question from the indexed documents.

    Without a language model, or when it does not answer, the answer quotes the
    documents: `mode` is then `extractive`.
    """
    started = time.perf_counter()
    outcome = await parts.pipeline.ask(
        body.question,
        top_k=body.top_k if body.top_k is not None else parts.settings.top_k,
        use_cache=body.use_cache,
    )
    milliseconds = (time.perf_counter() - started) * 1000
    response = _response(outcome, request_id=request.state.request_id, milliseconds=milliseconds)
    # Serialised here: FastAPI would check the fields of our own answer first.
    return Response(response.model_dump_json(), media_type="application/json")


def _response(outcome: Outcome, *, request_id: str, milliseconds: float) -> QueryResponse:
    answer = outcome.answer
    sources = [
        Source.model_construct(
            id=passage.chunk.id,
            doc_id=passage.chunk.document_id,
            text=passage.chunk.text,
            score=round(passage.score, 6),
            metadata=dict(passage.chunk.metadata),
            citation=number,
        )
        for number, passage in enumerate(answer.passages, start=1)
    ]
    return QueryResponse.model_construct(
        answer=answer.text,
        sources=sources,
        latency_ms=round(milliseconds, 3),
        cached=outcome.cached,
        mode=answer.mode,
        degraded=list(answer.degraded),
        request_id=request_id,
        usage=None if outcome.cached is not CacheState.NONE else _usage(answer.usage),
        timings={stage: round(value, 3) for stage, value in outcome.timings.items()},
    )


def _usage(usage: Usage | None) -> TokenUsage | None:
    if usage is None:
        return None
    return TokenUsage.model_construct(
        prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
    )
