"""``POST /index`` takes documents in."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Response, status
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.models import CollectionId, Document
from ragdeploy_service.routes.dependencies import IdempotencyKey, Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.jobs import Accepted, accept
from ragdeploy_service.routes.questions import CollectionName

router = APIRouter(tags=["documents"], route_class=GuardedRoute)

_MOST_DOCUMENTS = 1_000
# Milvus keeps metadata beside each chunk and takes 64 KiB.
_METADATA_BYTES = 16_384
_METADATA_DEPTH = 16
_ID_BYTES = 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


class IndexRequest(BaseModel):
    """Documents to be found from now on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    documents: list[Text] = Field(
        min_length=1, max_length=_MOST_DOCUMENTS, description="Texts of the documents."
    )
    metadatas: list[dict[str, Any]] | None = Field(
        None, description="One object for each document, given back with its passages."
    )
    collection: CollectionName | None = Field(
        None,
        description="Collection to index them in, made if need be; the service's default one if "
        "absent.",
    )
    ids: list[str] | None = Field(
        None,
        description="One id for each document. A document with an id that is there already "
        "replaces the old version. Without ids, equal text from the same `source` (in the "
        "metadata) is the same document.",
    )

    @field_validator("metadatas")
    @classmethod
    def _metadata_fits(
        cls, value: list[dict[str, Any]] | None, info: ValidationInfo
    ) -> list[dict[str, Any]] | None:
        _one_each(value, info)
        for number, metadata in enumerate(value or ()):
            if _deeper_than(_METADATA_DEPTH, metadata):
                raise ValueError(f"Entry {number} is nested deeper than {_METADATA_DEPTH}.")
            try:
                size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode())
            except ValueError as error:  # NaN, or half a surrogate pair
                raise ValueError(f"Entry {number} is not valid JSON in UTF-8.") from error
            if size > _METADATA_BYTES:
                raise ValueError(
                    f"Entry {number} has {size} bytes as JSON; {_METADATA_BYTES} are taken."
                )
        return value

    @field_validator("ids")
    @classmethod
    def _ids_fit(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        _one_each(value, info)
        first: dict[str, int] = {}
        for number, document_id in enumerate(value or ()):
            if not 1 <= len(document_id.encode()) <= _ID_BYTES or _CONTROL.search(document_id):
                raise ValueError(
                    f"Entry {number} must have 1 to {_ID_BYTES} bytes and no control characters."
                )
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


def _deeper_than(most: int, value: Any) -> bool:
    """Whether an object of JSON is nested deeper, found without recursion and level by level."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


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
