"""``POST /feedback``: whether an answer was good."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.models import Rating
from ragdeploy_service.routes.dependencies import services_of, tenant_of
from ragdeploy_service.routes.guard import needs
from ragdeploy_service.routes.json_route import JsonRoute

router = APIRouter(tags=["ask"], route_class=JsonRoute)

_FEEDBACK_BYTES = 32 * 2**10
_MOST_COMMENT = 2000

_log = structlog.get_logger(__name__)


class FeedbackRequest(BaseModel):
    """What somebody thinks of an answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = Field(
        description="`request_id` of the answer, or the header X-Request-ID that came with it."
    )
    rating: Rating = Field(strict=False, description="`up` if it was good, `down` if it was not.")
    comment: str | None = Field(
        None,
        max_length=_MOST_COMMENT,
        description="Written into the log if the service is set up to "
        "(RAG_FEEDBACK_LOG_COMMENTS), else dropped.",
    )


@router.post(
    "/feedback",
    status_code=status.HTTP_204_NO_CONTENT,
    dependencies=[needs(Access.QUERY, most_bytes=_FEEDBACK_BYTES)],
    responses=documented(401, 403, 404, 413, 415, 422, 429, 503),
    summary="Rate an answer",
)
async def feedback(body: FeedbackRequest, request: Request) -> Response:
    """Rate an answer of `/query` or `/v1/chat/completions`, also a streamed one.

    An answer has one rating: a later one replaces it. It can be rated for as long as answers are
    good in the cache, by keys of the tenant that it was given to; otherwise it is not known (404).
    """
    parts, tenant = services_of(request), tenant_of(request)
    before = await parts.feedback.rate(tenant, body.request_id, body.rating)
    if before is not body.rating:
        parts.metrics.feedback(body.rating)
    comment = body.comment if parts.settings.feedback_log_comments else None
    # The answer's request id and not this request's, so that it joins the lines of the answer.
    _log.info(
        "feedback",
        request_id=body.request_id,
        rating=body.rating.value,
        tenant=tenant,
        **({"replaces": before.value} if before else {}),
        **({"comment": _printable(comment)} if comment else {}),
    )
    return Response(status_code=status.HTTP_204_NO_CONTENT)


def remember(request: Request) -> None:
    """Let the answer to a request be rated; call it when the answer is there."""
    services_of(request).feedback.remember(tenant_of(request), request.state.request_id)


def _printable(text: str) -> str:
    """Leave out what would move a terminal's cursor or begin a line in the log."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
