"""The documents of a collection, one by one: look, replace, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.errors import DocumentNotFound
from ragdeploy_service.rag.models import Document
from ragdeploy_service.routes.collections import Place
from ragdeploy_service.routes.dependencies import IdempotencyKey, Parts
from ragdeploy_service.routes.filters import FilterField, to_domain
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.intake import DocumentId, MetadataObject, Text
from ragdeploy_service.routes.jobs import Accepted, accept

router = APIRouter(prefix="/collections/{collection}", tags=["documents"], route_class=GuardedRoute)

_LOOK_PROBLEMS = documented(401, 403, 404, 422, 503)
_WRITE_PROBLEMS = documented(401, 403, 404, 413, 415, 422, 429, 503)

Id = Annotated[
    DocumentId, Path(description="Id of the document, percent-encoded; slashes may stand as such.")
]


class DocumentSummary(BaseModel):
    """A document as a list shows it."""

    id: str
    metadata: dict[str, Any]


class DocumentList(BaseModel):
    """Some documents of a collection, in an order that does not change."""

    documents: list[DocumentSummary]
    next_page: str | None = Field(description="Ask for it with `page`; null after the last.")


class DocumentBody(BaseModel):
    """A document without its id."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text
    metadata: MetadataObject = Field(
        default={}, description="Given back with the document's passages."
    )


class StoredDocument(BaseModel):
    """A document as it can be found."""

    id: str
    text: str = Field(description="In Unicode's form NFC, without control characters.")
    metadata: dict[str, Any]
    chunks: int = Field(description="Passages that it is cut into.")


class DeleteRequest(BaseModel):
    """Which documents to delete: by their ids, or by a filter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: list[DocumentId] | None = Field(None, min_length=1, max_length=1_000)
    filters: FilterField | None = Field(None, description="As in `/query`.")

    @model_validator(mode="after")
    def _one_of_both(self) -> DeleteRequest:
        if (self.ids is None) == (self.filters is None):
            raise ValueError("Give either `ids` or `filters`.")
        return self


class Deleted(BaseModel):
    """What was deleted."""

    deleted: int = Field(description="Documents that were there and are no longer found.")
    more: bool = Field(
        description="Whether the filter is true of further documents: 1,000 go with one call. "
        "Send it again."
    )


@router.get(
    "/documents",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=_LOOK_PROBLEMS,
    summary="List documents",
)
async def list_documents(
    place: Place,
    parts: Parts,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Most documents of a page.")] = 100,
    page: Annotated[
        str | None, Query(max_length=4_096, description="A `next_page`; the first if absent.")
    ] = None,
) -> DocumentList:
    """List the documents of a collection, page by page."""
    found = await parts.library.list(place, where=None, page=page, limit=limit)
    return DocumentList(
        documents=[
            DocumentSummary(id=entry.id, metadata=dict(entry.metadata)) for entry in found.documents
        ],
        next_page=found.next_page,
    )


@router.post(
    "/documents/delete",
    dependencies=[needs(Access.INDEX)],
    responses=_WRITE_PROBLEMS,
    summary="Delete documents by id or filter",
)
async def delete_documents(body: DeleteRequest, place: Place, parts: Parts) -> Deleted:
    """Delete documents; those that are not there are passed over.

    A job that still waits may bring one back.
    """
    if body.ids is not None:
        return Deleted(deleted=await parts.library.delete(place, set(body.ids)), more=False)
    assert body.filters is not None  # noqa: S101 - the model has one of both
    deletion = await parts.library.delete_where(place, to_domain(body.filters))
    return Deleted(deleted=deletion.documents, more=deletion.more)


@router.put(
    "/documents/{document_id:path}",
    dependencies=[needs(Access.INDEX)],
    status_code=status.HTTP_202_ACCEPTED,
    responses=_WRITE_PROBLEMS,
    summary="Add or replace a document",
)
async def put_document(
    document_id: Id,
    body: DocumentBody,
    place: Place,
    parts: Parts,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Accepted:
    """Index one document in the background; the collection is made if need be."""
    document = Document(id=document_id, text=body.text, metadata=body.metadata)
    job = await parts.queue.submit(place, [document], idempotency_key=idempotency_key)
    return accept(job, response, parts, message="Indexing started")


@router.get(
    "/documents/{document_id:path}",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=_LOOK_PROBLEMS,
    summary="Fetch a document",
)
async def get_document(document_id: Id, place: Place, parts: Parts) -> StoredDocument:
    """Fetch a document with its text, put together from its passages."""
    found = await parts.library.get(place, document_id)
    return StoredDocument(
        id=found.id, text=found.text, metadata=dict(found.metadata), chunks=found.chunks
    )


@router.delete(
    "/documents/{document_id:path}",
    dependencies=[needs(Access.INDEX)],
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_WRITE_PROBLEMS,
    summary="Delete a document",
)
async def delete_document(document_id: Id, place: Place, parts: Parts) -> None:
    """Delete a document; no answer from it is given again, from the cache either."""
    if not await parts.library.delete(place, {document_id}):
        raise DocumentNotFound("There is no such document in this collection.")
