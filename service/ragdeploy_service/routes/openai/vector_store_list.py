"""``GET /v1/vector_stores``: which collections there are, in OpenAI's form."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.errors import CollectionNotFound
from ragdeploy_service.routes.dependencies import Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.openai.common import errors
from ragdeploy_service.routes.questions import CollectionName

router = APIRouter(route_class=GuardedRoute)

_Limit = Annotated[int, Query(ge=1, le=100, description="Most vector stores on a page.")]
_Order = Annotated[Literal["asc", "desc"], Query(description="Of their names.")]
_After = Annotated[str | None, Query(description="Those behind this id; the page's `last_id`.")]
_Before = Annotated[str | None, Query(description="Those in front of this id.")]


class FileCounts(BaseModel):
    """Always 0: documents are not counted; GET /collections/{name}/documents lists them."""

    in_progress: Literal[0] = 0
    completed: Literal[0] = 0
    failed: Literal[0] = 0
    cancelled: Literal[0] = 0
    total: Literal[0] = 0


class VectorStore(BaseModel):
    """A collection, as OpenAI describes a vector store."""

    id: str = Field(description="The collection's name.")
    object: Literal["vector_store"] = "vector_store"
    name: str
    created_at: Literal[0] = Field(0, description="Always 0: it is not known.")
    last_active_at: None = None
    status: Literal["completed"] = "completed"
    usage_bytes: Literal[0] = Field(0, description="Always 0: it is not known.")
    file_counts: FileCounts = FileCounts()
    metadata: dict[str, str] = Field({}, description="Always empty.")


class VectorStoreList(BaseModel):
    """A page of collections."""

    object: Literal["list"] = "list"
    data: list[VectorStore]
    first_id: str | None
    last_id: str | None
    has_more: bool


@router.get(
    "/vector_stores",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=errors(400, 401, 403, 503),
    summary="List collections",
)
async def list_vector_stores(
    parts: Parts,
    tenant: Tenant,
    limit: _Limit = 20,
    order: _Order = "desc",
    after: _After = None,
    before: _Before = None,
) -> VectorStoreList:
    """List the collections that can be searched; the name of each is its id."""
    names = sorted(await parts.store.names(tenant), reverse=order == "desc")
    if after is not None:
        names = [name for name in names if (name < after if order == "desc" else name > after)]
    if before is not None:
        # The page that ends in front of it.
        names = [name for name in names if (name > before if order == "desc" else name < before)]
    page = names[-limit:] if before is not None and after is None else names[:limit]
    return VectorStoreList(
        data=[VectorStore(id=name, name=name) for name in page],
        first_id=page[0] if page else None,
        last_id=page[-1] if page else None,
        has_more=len(page) < len(names),
    )


@router.get(
    "/vector_stores/{vector_store_id}",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=errors(400, 401, 403, 404, 503),
    summary="Look at a collection",
)
async def retrieve_vector_store(
    vector_store_id: CollectionName, parts: Parts, tenant: Tenant
) -> VectorStore:
    """Look at one collection."""
    if vector_store_id not in await parts.store.names(tenant):
        raise CollectionNotFound(
            "There is no such vector store. GET /v1/vector_stores lists those that there are."
        )
    return VectorStore(id=vector_store_id, name=vector_store_id)
