"""Errors as problem details (RFC 9457): what is wrong, where, and what to do about it.

No exception text, traceback, path or secret leaves the service, and nothing
of the request is repeated but the names of its fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ragdeploy_service import openai_errors
from ragdeploy_service.rag.errors import (
    AnswerUnknown,
    CollectionNotFound,
    DeadlineExceeded,
    DocumentNotFound,
    EmbeddingMismatch,
    IdempotencyConflict,
    InvalidField,
    InvalidPage,
    JobEnded,
    JobNotFailed,
    JobQueueFull,
    LimitExceeded,
    RagError,
    Unavailable,
    Unsupported,
)
from ragdeploy_service.rag.filters import Junction, Operator

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_SECONDS = 5

_log = structlog.get_logger(__name__)


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Path of the field in the body, such as `metadatas[0]`.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(validate_by_name=True)

    type: str = Field(description="Names the kind of the problem; it does not change.")
    title: str
    status: int
    detail: str = Field(description="What is wrong and what to do about it.")
    request_id: str = Field(description="Stands in the log too; the header X-Request-ID.")
    errors: list[FieldError] = Field(default=[], description="One entry for each wrong field.")
    violated_policies: list[str] = Field(
        default=[],
        alias="violated-policies",
        description="With 429, the limit that is used up, as RateLimit-Policy names it.",
    )
    stage: str | None = Field(default=None, description="Where the time ran out, with status 504.")


# For the OpenAPI document, by status.
_MEANINGS = {
    401: "No API key was sent.",
    403: "The API key is not accepted.",
    404: "There is no such thing.",
    413: "The body is too large.",
    409: "It is not in the state that this needs.",
    415: "The body, or a file in it, is of a kind that is not taken.",
    422: "A field is wrong; `errors` names it.",
    429: "A limit of this key is used up; `Retry-After` says when to ask again.",
    503: "A part does not answer, or too much waits; `Retry-After` says when to ask again.",
    504: "There was no time left.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error responses for a route's OpenAPI entry; see `with_problems`."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _MEANINGS[status], "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas that `documented` refers to to an OpenAPI document."""
    schemas = document["components"]["schemas"]
    problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem_schema.pop("$defs"), "Problem": problem_schema}
    # FastAPI promises its own 422 wherever a path has a parameter; ours are words, never wrong.
    for operations in document["paths"].values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def problem(
    scope: Mapping[str, Any],
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    errors: Sequence[FieldError] = (),
    violated_policies: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    stage: str | None = None,
) -> Response:
    """Make the response to a request (its ASGI scope) that went wrong.

    Under ``/v1`` it is in OpenAI's envelope.
    """
    title = HTTPStatus(status).phrase
    kind = kind or title.lower().replace(" ", "-")
    if openai_errors.spoken(scope):
        fields = {error.field: error.message for error in errors}
        return Response(
            openai_errors.envelope(status, detail, kind=kind, fields=fields).model_dump_json(),
            status_code=openai_errors.status_of(status),
            headers=dict(headers or {}),
            media_type="application/json",
        )
    body = Problem(
        type=f"urn:ragdeploy:problem:{kind}",
        title=title,
        status=status,
        detail=detail,
        request_id=scope.get("state", {}).get("request_id", ""),
        errors=list(errors),
        violated_policies=list(violated_policies),
        stage=stage,
    )
    return Response(
        body.model_dump_json(exclude_defaults=True, by_alias=True),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Let every error of the app be told as a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(RagError, told)  # type: ignore[arg-type]
    app.add_exception_handler(ClientDisconnect, _gone)  # type: ignore[arg-type]


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    if any(entry["loc"][0] == "body" for entry in error.errors()):
        kind, shown = _body_kind(request), _content_type(request)
        if not (shown == kind or (shown.endswith("+json") and kind.endswith("json"))):
            return problem(request.scope, 415, f"Send the body with Content-Type: {kind}.")
    return _wrong_fields(request, [_field_error(entry) for entry in error.errors()])


def _wrong_fields(request: Request, errors: Sequence[FieldError]) -> Response:
    names = ", ".join(dict.fromkeys(entry.field for entry in errors))
    return problem(
        request.scope, 422, f"These fields are wrong: {names}.", kind="invalid", errors=errors
    )


def _body_kind(request: Request) -> str:
    """The media type that the route takes."""
    route = request.scope["route"]
    takes_form = any(isinstance(p.field_info, Form) for p in route.dependant.body_params)
    return "multipart/form-data" if takes_form else "application/json"


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _field_error(entry: Mapping[str, Any]) -> FieldError:
    if entry["type"] == "json_invalid" and len(entry["loc"]) == 2:
        message = f"is not JSON at character {entry['loc'][-1]}: {entry['ctx']['error']}."
        return FieldError(field="body", message=message)
    message = entry["msg"].removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        message = "There is no such field; leave it out."
    return FieldError(field=_path(entry["loc"]), message=message)


# Where a filter has several shapes, pydantic puts the `type` that chose one into the path, where
# the body has nothing.
_CHOICES = frozenset({*Operator, *Junction})


def _path(location: Sequence[str | int]) -> str:
    """Write ("body", "metadatas", 0, "source") as metadatas[0].source."""
    path = ""
    for part in location[1:]:
        if part in _CHOICES:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "body"


async def _http(request: Request, error: HTTPException) -> Response:
    if error.status_code == 400:  # FastAPI's word for a body that broke its parser
        form = _content_type(request) == "multipart/form-data"
        reason = f"is no form: {error.detail}" if form else "is nested too deeply, or not in UTF-8."
        unread = FieldError(field="body", message=reason)
        detail = "The body cannot be read."
        return problem(request.scope, 422, detail, kind="invalid", errors=[unread])
    details = {
        404: f"There is nothing at this path. {_DIRECTIONS}",
        405: f"{request.method} is not possible here. {_DIRECTIONS}",
    }
    detail = details.get(error.status_code, str(error.detail))
    return problem(request.scope, error.status_code, detail, headers=error.headers)


_DIRECTIONS = "/openapi.json lists what there is."


async def _gone(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=499)  # nginx's number, for the log; nobody receives it


async def told(request: Request, error: RagError) -> Response:
    """Tell an error of the domain as a problem."""
    retry = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    match error:
        case CollectionNotFound():
            return problem(request.scope, 404, str(error), kind="no-collection")
        case AnswerUnknown():
            return problem(request.scope, 404, str(error), kind="no-answer")
        case DocumentNotFound():
            return problem(request.scope, 404, str(error), kind="no-document")
        case Unsupported():
            return problem(request.scope, 422, str(error), kind="unsupported")
        case InvalidField():
            return _wrong_fields(request, [FieldError(field=error.field, message=str(error))])
        case InvalidPage():
            return problem(request.scope, 422, str(error), kind="invalid")
        case LimitExceeded():
            return problem(
                request.scope,
                429,
                str(error),
                kind="limit-exceeded",
                violated_policies=[error.policy],
                headers={"Retry-After": str(error.retry_after)},
            )
        case IdempotencyConflict():
            return problem(request.scope, 422, str(error), kind="idempotency-conflict")
        case JobEnded() | JobNotFailed():
            return problem(request.scope, 409, str(error), kind="job-state")
        case JobQueueFull():
            retry = {"Retry-After": str(round(error.retry_after))}
            return problem(request.scope, 503, str(error), kind="queue-full", headers=retry)
        case Unavailable():
            return problem(request.scope, 503, str(error), kind="unavailable", headers=retry)
        case EmbeddingMismatch():
            return problem(request.scope, 503, str(error), kind="embedding-mismatch", headers=retry)
        case DeadlineExceeded():
            return problem(
                request.scope,
                504,
                str(error),
                kind="deadline",
                headers=retry,
                stage=error.stage,
            )
    _log.error("the request failed", error=str(error), exc_info=error)
    return unforeseen(request.scope)


def unforeseen(scope: Mapping[str, Any]) -> Response:
    """Answer a request on which the service itself failed."""
    return problem(
        scope, 500, "The service failed on this request. Its log says why, under the request_id."
    )
