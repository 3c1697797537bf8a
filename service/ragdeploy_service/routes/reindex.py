"""Making the vectors of a collection anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response, status

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.models import CollectionId
from ragdeploy_service.routes.dependencies import IdempotencyKey, Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.jobs import Accepted, accept
from ragdeploy_service.routes.questions import CollectionName

router = APIRouter(tags=["collections"], route_class=GuardedRoute)


@router.post(
    "/collections/{collection}/reindex",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[needs(Access.ADMIN)],
    responses=documented(401, 403, 404, 422, 429, 503),
    summary="Reindex a collection",
)
async def reindex(
    collection: Annotated[CollectionName, Path(description="Name of the collection.")],
    response: Response,
    parts: Parts,
    tenant: Tenant,
    idempotency_key: IdempotencyKey = None,
) -> Accepted:
    """Cut and embed all documents of a collection anew, as the service is now configured.

    That takes as long as to index them did. Until it is done the collection is searched as it
    was, and documents that are given in wait.
    """
    job = await parts.reindexer.request(
        CollectionId(tenant=tenant, name=collection), idempotency_key=idempotency_key
    )
    return accept(job, response, parts, message="Reindexing started")
