"""Collections: what there is, how it can be searched, and an end of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, status
from pydantic import BaseModel, Field

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.errors import CollectionNotFound
from ragdeploy_service.rag.models import CollectionId, SearchMode
from ragdeploy_service.routes.dependencies import Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.questions import CollectionName

router = APIRouter(prefix="/collections", tags=["collections"], route_class=GuardedRoute)


async def _place(
    collection: Annotated[CollectionName, Path(description="Name of the collection.")],
    tenant: Tenant,
) -> CollectionId:
    return CollectionId(tenant=tenant, name=collection)


Place = Annotated[CollectionId, Depends(_place)]
"""The collection that the path names, of whoever asks."""


class CollectionNames(BaseModel):
    """The collections there are."""

    collections: list[str]
    default: str = Field(description="The one that is meant where a request names none.")


class CollectionStatus(BaseModel):
    """A collection as it is now."""

    name: str
    chunks: int = Field(description="Passages that can be found.")
    search_modes: list[SearchMode] = Field(description="How it can be searched.")


@router.get(
    "",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=documented(401, 403, 503),
    summary="List collections",
)
async def list_collections(parts: Parts, tenant: Tenant) -> CollectionNames:
    """List the collections of the key's tenant. They are made by indexing into them."""
    return CollectionNames(
        collections=await parts.library.names(tenant), default=parts.settings.collection
    )


@router.get(
    "/{collection}",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=documented(401, 403, 404, 422, 503),
    summary="Look at a collection",
)
async def get_collection(place: Place, parts: Parts) -> CollectionStatus:
    """Say how large a collection is, and how it can be searched."""
    found = await parts.library.look(place)
    return CollectionStatus(name=place.name, chunks=found.chunks, search_modes=sorted(found.modes))


@router.delete(
    "/{collection}",
    dependencies=[needs(Access.ADMIN)],
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(401, 403, 404, 422, 429, 503),
    summary="Delete a collection",
)
async def delete_collection(place: Place, parts: Parts) -> None:
    """Delete a collection with all its documents. A job that still waits makes it anew."""
    if not await parts.library.drop(place):
        raise CollectionNotFound(f"There is no collection {place.name!r}.")
