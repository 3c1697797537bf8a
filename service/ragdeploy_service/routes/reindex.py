"""Making the vectors of a collection anew."""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.routes.collections import Place
from ragdeploy_service.routes.dependencies import IdempotencyKey, Parts
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.jobs import Accepted, accept

router = APIRouter(tags=["collections"], route_class=GuardedRoute)


@router.post(
    "/collections/{collection}/reindex",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[needs(Access.ADMIN)],
    responses=documented(401, 403, 404, 422, 429, 503),
    summary="Reindex a collection",
)
async def reindex(
    place: Place,
    response: Response,
    parts: Parts,
    idempotency_key: IdempotencyKey = None,
) -> Accepted:
    """Cut and embed all documents of a collection anew, as the service is now configured.

    That takes as long as to index them did. Until it is done the collection is searched as it
    was, and documents that are given in wait.
    """
    job = await parts.reindexer.request(place, idempotency_key=idempotency_key)
    return accept(job, response, parts, message="Reindexing started")
