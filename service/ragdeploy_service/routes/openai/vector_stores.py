"""``/v1/vector_stores``: each collection is a vector store that can be searched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.models import CollectionId, Metadata, Passage, SearchMode
from ragdeploy_service.rag.question import Question
from ragdeploy_service.routes.dependencies import Parts, Tenant
from ragdeploy_service.routes.filters import FilterField, to_domain
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.leaving import while_connected
from ragdeploy_service.routes.openai.common import POST_ERRORS
from ragdeploy_service.routes.questions import QUESTION_BYTES, CollectionName
from ragdeploy_service.services import Services

router = APIRouter(route_class=GuardedRoute)

_Query = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4096)]


class RankingOptions(BaseModel):
    """How results are ranked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ranker: Literal["none", "auto", "default-2024-11-15"] = Field(
        "auto",
        description="`none` leaves results as they are found; others have them reranked if "
        "the service is set up to.",
    )
    score_threshold: float | None = Field(
        None, ge=0, le=1, description="Results with a lower cosine similarity are left out."
    )


class SearchRequest(BaseModel):
    """A search."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: _Query | Annotated[list[_Query], Field(min_length=1, max_length=4)] = Field(
        description="What to search for, or up to four of it: their results are put together."
    )
    filters: FilterField | None = Field(
        None, description="Which documents to search, by their metadata."
    )
    max_num_results: int = Field(10, ge=1, le=50)
    ranking_options: RankingOptions = RankingOptions()
    rewrite_query: Literal[False] = Field(
        False, description="Queries are not rewritten; true is refused."
    )


class Content(BaseModel):
    """A passage."""

    type: Literal["text"] = "text"
    text: str


class SearchResult(BaseModel):
    """A passage that was found, with its document."""

    file_id: str = Field(description="Id of the document.")
    filename: str = Field(description="Its `source` or `title`, or else its id.")
    score: float
    attributes: dict[str, str | float | bool] = Field(
        description="Its metadata; lists and objects are left out."
    )
    content: list[Content]


class SearchResults(BaseModel):
    """Passages, best first."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: Literal[False] = False
    next_page: None = None


@router.post(
    "/vector_stores/{vector_store_id}/search",
    dependencies=[needs(Access.QUERY, most_bytes=QUESTION_BYTES)],
    responses=POST_ERRORS,
    summary="Search a collection",
)
async def search_vector_store(
    vector_store_id: CollectionName,
    body: SearchRequest,
    request: Request,
    parts: Parts,
    tenant: Tenant,
) -> SearchResults:
    """Find passages in a collection, whose name is the vector store's id."""
    queries = [body.query] if isinstance(body.query, str) else body.query
    questions = [
        Question(
            text=query,
            collection=CollectionId(tenant=tenant, name=vector_store_id),
            top_k=body.max_num_results,
            mode=SearchMode(parts.settings.search_mode),
            min_score=_least(body, parts),
            rerank=parts.settings.rerank and body.ranking_options.ranker != "none",
            where=to_domain(body.filters) if body.filters else None,
            timeout=parts.settings.query_timeout_seconds,
        )
        for query in queries
    ]
    found = await while_connected(request, _search(parts, questions))
    best = sorted(found, key=lambda passage: -passage.score)[: body.max_num_results]
    return SearchResults(search_query=queries, data=[_result(passage) for passage in best])


def _least(body: SearchRequest, parts: Services) -> float:
    threshold = body.ranking_options.score_threshold
    return parts.settings.min_score if threshold is None else threshold


async def _search(parts: Services, questions: Iterable[Question]) -> list[Passage]:
    """The passages for all questions, each once, with the best of its scores."""
    best: dict[str, Passage] = {}
    for found in await asyncio.gather(*map(parts.pipeline.retrieve, questions)):
        for passage in found.passages:
            known = best.get(passage.chunk.id)
            if known is None or known.score < passage.score:
                best[passage.chunk.id] = passage
    return list(best.values())


def _result(passage: Passage) -> SearchResult:
    chunk = passage.chunk
    return SearchResult(
        file_id=chunk.document_id,
        filename=_filename(chunk.metadata) or chunk.document_id,
        score=round(passage.score, 6),
        attributes={
            key: value
            for key, value in chunk.metadata.items()
            if isinstance(value, str | int | float | bool)
        },
        content=[Content(text=chunk.text)],
    )


def _filename(metadata: Metadata) -> str | None:
    names: list[Any] = [metadata.get("source"), metadata.get("title")]
    return next((name for name in names if isinstance(name, str) and name), None)
