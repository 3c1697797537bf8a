"""An answer as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel, Field

from ragdeploy_service.problems import told, unforeseen
from ragdeploy_service.rag.accounts.account import Account
from ragdeploy_service.rag.answering.citations import cited
from ragdeploy_service.rag.answering.pipeline import Outcome
from ragdeploy_service.rag.answering.progress import Piece
from ragdeploy_service.rag.errors import RagError
from ragdeploy_service.rag.models import Passage
from ragdeploy_service.rag.question import Question
from ragdeploy_service.routes import answers
from ragdeploy_service.routes.answering import Begun, begin
from ragdeploy_service.routes.answers import Source
from ragdeploy_service.routes.event_stream import EventStream
from ragdeploy_service.routes.feedback import remember
from ragdeploy_service.services import Services

# OpenAPI 3.1 has no words for a stream, so this is one event of it.
EVENTS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {
        "event": {
            "type": "string",
            "enum": ["search_results", "message", "citation", "final_answer", "error"],
        },
        "data": {"type": "string", "description": "JSON."},
    },
    "required": ["event", "data"],
}

_log = structlog.get_logger(__name__)


class SearchResults(BaseModel):
    """Event `search_results`."""

    sources: list[Source] = Field(description="The nearest passages, best first.")


class Message(BaseModel):
    """Event `message`."""

    text: str = Field(description="The next characters of the answer.")


class CitationMade(BaseModel):
    """Event `citation`: the first time that the answer cites a source."""

    citation: int = Field(description="The source's number.")
    id: str = Field(description="Id of the passage.")
    doc_id: str = Field(description="Id of its document.")


async def event_stream(
    question: Question, account: Account, request: Request, parts: Services, *, started: float
) -> EventStream:
    """Begin to answer; the response starts with the first event, so that errors have a status.

    Raises:
        RagError: what `Pipeline.ask` raises before it has found anything, `TooManyStreams`.

    """
    begun = await begin(question, account, request, parts)
    return EventStream(
        _events(begun, request, started=started),
        keep_alive=parts.settings.stream_keep_alive_seconds,
        resources=begun.resources,
        headers={"X-Cache": begun.found.cached},
    )


async def _events(begun: Begun, request: Request, *, started: float) -> AsyncGenerator[bytes]:
    passages = begun.found.passages
    yield _event("search_results", SearchResults(sources=answers.sources(passages)))
    seen: set[int] = set()
    try:
        async for step in begun.steps:
            match step:
                case Piece():
                    yield _event("message", Message(text=step.text))
                    for citation in _citations(step.text, passages):
                        if citation.citation not in seen:
                            seen.add(citation.citation)
                            yield _event("citation", citation)
                case Outcome():
                    remember(request)
                    answer = answers.answer(
                        step,
                        seconds=time.perf_counter() - started,
                        request_id=request.state.request_id,
                    )
                    yield _event("final_answer", answer)
    except RagError as error:
        yield _problem(await told(request, error))
    except Exception:
        _log.exception("the service failed in the middle of a stream")
        yield _problem(unforeseen(request.scope))


def _citations(text: str, passages: tuple[Passage, ...]) -> list[CitationMade]:
    return [
        CitationMade(citation=number, id=chunk.id, doc_id=chunk.document_id)
        for number in cited(text, sources=len(passages))
        if (chunk := passages[number - 1].chunk)
    ]


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())


def _problem(response: Response) -> bytes:
    return format_sse_event(event="error", data_str=bytes(response.body).decode())
