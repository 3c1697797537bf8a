"""``POST /query``: a question in, an answer with its sources out; ``/retrieve`` stops before it."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.routes import answers
from ragdeploy_service.routes.answer_events import EVENTS_SCHEMA, event_stream
from ragdeploy_service.routes.answers import QueryResponse, RetrieveResponse, as_json
from ragdeploy_service.routes.dependencies import services_of, tenant_of
from ragdeploy_service.routes.feedback import remember
from ragdeploy_service.routes.guard import account_of, needs
from ragdeploy_service.routes.json_route import JsonRoute
from ragdeploy_service.routes.leaving import while_connected
from ragdeploy_service.routes.questions import QUESTION_BYTES, QueryRequest, RetrieveRequest

router = APIRouter(tags=["ask"], route_class=JsonRoute)

_PROBLEMS = documented(401, 403, 404, 413, 415, 422, 429, 503, 504)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": EVENTS_SCHEMA}}}
}


@router.post(
    "/query",
    dependencies=[needs(Access.QUERY, most_bytes=QUESTION_BYTES)],
    response_model=QueryResponse,
    responses=_PROBLEMS | _STREAM,
    summary="Answer a question",
)
async def query(body: QueryRequest, request: Request) -> Response:
    """Answer a question from the indexed documents.

    Without a language model, or when it does not answer, the answer quotes the
    documents: `mode` is then `extractive`.

    With `stream`, the answer comes as server-sent events: `search_results` with the sources, a
    `message` for each piece of text, a `citation` where a source is cited first, and
    `final_answer` with all that the answer without `stream` has. That one stands: should the
    language model break off, it replaces the messages. `error` is a problem on the way.
    """
    started = time.perf_counter()
    parts, account = services_of(request), account_of(request)
    question = body.to_domain(parts.settings, tenant=tenant_of(request), use_cache=body.use_cache)
    if body.stream:
        return await event_stream(question, account, request, parts, started=started)
    outcome = await while_connected(request, parts.pipeline.ask(question, account))
    remember(request)
    return as_json(
        answers.answer(
            outcome,
            seconds=time.perf_counter() - started,
            request_id=request.state.request_id,
        )
    )


@router.post(
    "/retrieve",
    dependencies=[needs(Access.QUERY, most_bytes=QUESTION_BYTES)],
    response_model=RetrieveResponse,
    responses=_PROBLEMS,
    summary="Find passages for a question",
)
async def retrieve(body: RetrieveRequest, request: Request) -> Response:
    """Find the passages that `/query` would answer from; asks no language model and no cache."""
    started = time.perf_counter()
    parts = services_of(request)
    question = body.to_domain(parts.settings, tenant=tenant_of(request))
    found = await parts.pipeline.retrieve(question)
    return as_json(
        answers.passages(
            found, seconds=time.perf_counter() - started, request_id=request.state.request_id
        )
    )
