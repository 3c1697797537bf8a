"""Errors as OpenAI's clients understand them, for everything under ``/v1``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class OpenAIErrorDetail(BaseModel):
    """What is wrong."""

    message: str = Field(description="What is wrong and what to do about it.")
    type: str
    param: str | None = Field(description="The first wrong field.")
    code: str | None = Field(description="Names the kind of the problem; it does not change.")


class OpenAIError(BaseModel):
    """An error in OpenAI's envelope."""

    error: OpenAIErrorDetail


def spoken(scope: Mapping[str, Any]) -> bool:
    """Whether the request (its ASGI scope) is one to OpenAI's API."""
    path: str = scope.get("path", "")
    return path.startswith("/v1/")


def status_of(status: int) -> int:
    """OpenAI's number for a status: it says 400 where we say 422."""
    return 400 if status == 422 else status


def envelope(status: int, detail: str, *, kind: str, fields: Mapping[str, str]) -> OpenAIError:
    """Put an error into the envelope; ``fields`` says of each wrong one what is wrong."""
    messages = [detail, *(f"{field}: {message}" for field, message in fields.items())]
    return OpenAIError(
        error=OpenAIErrorDetail(
            message=" ".join(messages),
            type=_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
            param=next(iter(fields), None),
            code=kind.replace("-", "_"),
        )
    )
