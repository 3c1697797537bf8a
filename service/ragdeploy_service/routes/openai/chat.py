"""``/v1/chat/completions``: a conversation in, an answer from the documents out."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any, Literal
from uuid import uuid4

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel, Field

from ragdeploy_service.problems import told, unforeseen
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.answering.citations import cited
from ragdeploy_service.rag.answering.pipeline import Outcome
from ragdeploy_service.rag.answering.progress import Piece
from ragdeploy_service.rag.errors import LanguageModelUnavailable, RagError
from ragdeploy_service.routes import answers
from ragdeploy_service.routes.answering import Begun, begin
from ragdeploy_service.routes.answers import Source
from ragdeploy_service.routes.dependencies import services_of, tenant_of
from ragdeploy_service.routes.event_stream import EventStream
from ragdeploy_service.routes.feedback import remember
from ragdeploy_service.routes.guard import account_of, needs
from ragdeploy_service.routes.json_route import JsonRoute
from ragdeploy_service.routes.leaving import while_connected
from ragdeploy_service.routes.openai.chat_request import CHAT_BYTES, ChatRequest
from ragdeploy_service.routes.openai.common import POST_ERRORS

router = APIRouter(route_class=JsonRoute)

_log = structlog.get_logger(__name__)


class ChatAnswer(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    """The one choice there is."""

    index: Literal[0] = 0
    message: ChatAnswer
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class ChatUsage(BaseModel):
    """Tokens that the language model counted; none for answers that it was not asked for."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """An answer, in OpenAI's form, with its sources beside it."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="Seconds since 1970.")
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    sources: list[Source] = Field(description="As of POST /query.")
    citations: list[int] = Field(description="As of POST /query.")


_CHUNKS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/event-stream": {
                # OpenAPI 3.1 has no words for a stream, so this is one event of it.
                "schema": {
                    "type": "object",
                    "description": "One event of the stream: OpenAI's `chat.completion.chunk`, "
                    "or at the end `[DONE]`. The chunk that says `stop` carries `sources` and "
                    "`citations`.",
                    "properties": {"data": {"type": "string"}},
                    "required": ["data"],
                }
            }
        }
    }
}


@router.post(
    "/chat/completions",
    dependencies=[needs(Access.QUERY, most_bytes=CHAT_BYTES)],
    response_model=ChatCompletion,
    responses=POST_ERRORS | _CHUNKS,
    summary="Answer the last message of a conversation",
)
async def create_chat_completion(body: ChatRequest, request: Request) -> Response:
    """Answer from the indexed documents, as `/query` does."""
    parts, account = services_of(request), account_of(request)
    question = body.to_domain(parts.settings, tenant=tenant_of(request))
    head: dict[str, Any] = {
        "id": f"chatcmpl-{uuid4().hex}",
        "created": int(time.time()),
        "model": body.model,
    }
    if body.stream:
        begun = await begin(question, account, request, parts)
        options = body.stream_options
        return EventStream(
            _chunks(begun, head, request, usage=options is not None and options.include_usage),
            keep_alive=parts.settings.stream_keep_alive_seconds,
            resources=begun.resources,
            headers={"X-Cache": begun.found.cached},
        )
    outcome = await while_connected(request, parts.pipeline.ask(question, account))
    remember(request)
    completion = ChatCompletion.model_construct(
        **head,
        choices=[ChatChoice(message=ChatAnswer(content=outcome.answer.text))],
        usage=_usage(outcome),
        **_evidence(outcome),
    )
    return Response(
        completion.model_dump_json(),
        headers={"X-Cache": outcome.cached},
        media_type="application/json",
    )


async def _chunks(
    begun: Begun, head: dict[str, Any], request: Request, *, usage: bool
) -> AsyncGenerator[bytes]:
    def chunk(delta: dict[str, str], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event(_Chunk(**head, choices=[choice], **more))

    said: list[str] = []
    try:
        yield chunk({"role": "assistant", "content": ""})
        async for step in begun.steps:
            if isinstance(step, Piece):
                said.append(step.text)
                yield chunk({"content": step.text})
            elif isinstance(step, Outcome):
                _require_same(step, "".join(said))
                remember(request)
                yield chunk({}, "stop", **_evidence(step))
                if usage:
                    yield _event(_Chunk(**head, choices=[], usage=_usage(step)))
        yield format_sse_event(data_str="[DONE]")
    except RagError as error:
        yield _error(await told(request, error))
    except Exception:
        _log.exception("the service failed in the middle of a stream")
        yield _error(unforeseen(request.scope))


def _require_same(outcome: Outcome, said: str) -> None:
    """What was said cannot be taken back in this protocol, so another answer is an error."""
    if outcome.answer.text != said:
        raise LanguageModelUnavailable("The language model broke off. Ask again.")


class _Chunk(BaseModel):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: ChatUsage | None = None
    sources: list[Source] | None = None
    citations: list[int] | None = None


def _evidence(outcome: Outcome) -> dict[str, Any]:
    passages = outcome.answer.passages
    return {
        "sources": answers.sources(passages),
        "citations": list(cited(outcome.answer.text, sources=len(passages))),
    }


def _usage(outcome: Outcome) -> ChatUsage:
    spent = answers.usage(outcome)
    prompt, completion = (spent.prompt_tokens, spent.completion_tokens) if spent else (0, 0)
    return ChatUsage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )


def _event(chunk: _Chunk) -> bytes:
    return format_sse_event(data_str=chunk.model_dump_json(exclude_none=True))


def _error(response: Response) -> bytes:
    return format_sse_event(data_str=bytes(response.body).decode())
