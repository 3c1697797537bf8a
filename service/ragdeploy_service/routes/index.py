"""``POST /index`` takes documents in."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.models import CollectionId, Document
from ragdeploy_service.routes.dependencies import IdempotencyKey, Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.intake import DocumentId, MetadataObject, Text
from ragdeploy_service.routes.jobs import Accepted, accept
from ragdeploy_service.routes.questions import CollectionName

router = APIRouter(tags=["documents"], route_class=GuardedRoute)

_MOST_DOCUMENTS = 1_000


class IndexRequest(BaseModel):
    """Documents to be found from now on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    documents: list[Text] = Field(
        min_length=1, max_length=_MOST_DOCUMENTS, description="Texts of the documents."
    )
    metadatas: list[MetadataObject] | None = Field(
        None, description="One object for each document, given back with its passages."
    )
    collection: CollectionName | None = Field(
        None,
        description="Collection to index them in, made if need be; the service's default one if "
        "absent.",
    )
    ids: list[DocumentId] | None = Field(
        None,
        description="One id for each document. A document with an id that is there already "
        "replaces the old version. Without ids, equal text from the same `source` (in the "
        "metadata) is the same document.",
    )

    @field_validator("metadatas")
    @classmethod
    def _one_metadata_each(cls, value: list[Any] | None, info: ValidationInfo) -> list[Any] | None:
        _one_each(value, info)
        return value

    @field_validator("ids")
    @classmethod
    def _one_id_each(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        _one_each(value, info)
        first: dict[str, int] = {}
        for number, document_id in enumerate(value or ()):
            if first.setdefault(document_id, number) != number:
                raise ValueError(f"Entry {number} repeats entry {first[document_id]}.")
        return value


@router.post(
    "/index",
    dependencies=[needs(Access.INDEX)],
    status_code=status.HTTP_202_ACCEPTED,
    responses=documented(401, 403, 413, 415, 422, 429, 503),
    summary="Index documents",
)
async def index(
    body: IndexRequest,
    response: Response,
    parts: Parts,
    tenant: Tenant,
    idempotency_key: IdempotencyKey = None,
) -> Accepted:
    """Take documents in and index them in the background."""
    collection = CollectionId(tenant=tenant, name=body.collection or parts.settings.collection)
    job = await parts.queue.submit(collection, _documents(body), idempotency_key=idempotency_key)
    return accept(job, response, parts, message="Indexing started")


def _one_each(value: list[Any] | None, info: ValidationInfo) -> None:
    documents = info.data.get("documents")
    if value is not None and documents is not None and len(value) != len(documents):
        raise ValueError(f"Give one entry for each of the {len(documents)} documents.")


def _documents(body: IndexRequest) -> list[Document]:
    metadatas = body.metadatas or [{} for _ in body.documents]
    ids = body.ids or [
        _derived_id(text, metadata)
        for text, metadata in zip(body.documents, metadatas, strict=True)
    ]
    return [
        Document(id=document_id, text=text, metadata=metadata)
        for document_id, text, metadata in zip(ids, body.documents, metadatas, strict=True)
    ]


def _derived_id(text: str, metadata: dict[str, Any]) -> str:
    """Name a document by its text and where it comes from, 32 hex digits."""
    source = json.dumps(metadata.get("source"), sort_keys=True)
    return hashlib.blake2b(f"{source}\0{text}".encode(), digest_size=16).hexdigest()
