"""``POST /index/files`` takes files in and makes documents of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import (
    APIRouter,
    File,
    Form,
    HTTPException,
    Request,
    Response,
    UploadFile,
    status,
)
from pydantic import Json, TypeAdapter, ValidationError

from ragdeploy_service.documents import KINDS, Page, Unreadable, Upload, document_of, kind_of
from ragdeploy_service.problems import FieldError, documented, problem
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.errors import InvalidField
from ragdeploy_service.rag.models import CollectionId, Document
from ragdeploy_service.routes.dependencies import IdempotencyKey, Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.intake import DocumentId, MetadataObject
from ragdeploy_service.routes.jobs import Accepted, accept
from ragdeploy_service.routes.questions import CollectionName

router = APIRouter(tags=["documents"], route_class=GuardedRoute)

_MOST_FILES = 100
_ID: TypeAdapter[str] = TypeAdapter(DocumentId)

T = TypeVar("T")

Files = Annotated[
    list[UploadFile],
    File(min_length=1, max_length=_MOST_FILES, description=f"Files: {' '.join(KINDS)}."),
]
Metadatas = Annotated[
    list[Json[MetadataObject]] | None,
    Form(
        description="A JSON object for each file, in their order. `source` (the file's name) and "
        "`title` are added where they are missing."
    ),
]
Ids = Annotated[
    list[DocumentId] | None,
    Form(description="An id for each file, in their order; their names if absent."),
]
Collection = Annotated[
    CollectionName | None,
    Form(description="Collection to index them in; the service's default one if absent."),
]


@router.post(
    "/index/files",
    dependencies=[needs(Access.INDEX, most_bytes=lambda settings: settings.max_upload_bytes)],
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Accepted,
    responses=documented(401, 403, 413, 415, 422, 429, 503),
    summary="Index files",
)
async def index_files(
    request: Request,
    response: Response,
    parts: Parts,
    tenant: Tenant,
    files: Files,
    metadatas: Metadatas = None,
    ids: Ids = None,
    collection: Collection = None,
    idempotency_key: IdempotencyKey = None,
) -> Accepted | Response:
    """Take files in, read them, and index them in the background.

    If one of them cannot be read, the answer says why, and none is indexed.
    A file with the name (or id) of one that is indexed already replaces it.
    """
    names = _names(files)
    ids = _one_each(ids or names, files, field="ids", distinct=True)
    given: list[dict[str, Any]] = metadatas or [{} for _ in files]
    given = _one_each(given, files, field="metadatas")
    kinds = [kind_of(file.filename or "", media_type=file.content_type or "") for file in files]
    if unknown := [
        _wrong(number, names, f"is of no known kind; {' '.join(KINDS)} are taken")
        for number, kind in enumerate(kinds)
        if kind is None
    ]:
        return _refused(request, 415, unknown)
    pages = await parts.files.read(
        [
            Upload(kind=kind, data=await file.read())
            for file, kind in zip(files, kinds, strict=True)
            if kind is not None
        ]
    )
    found, unreadable = _documents(pages, names=names, ids=ids, metadatas=given)
    if unreadable:
        return _refused(request, 422, unreadable)
    _check_text(found, most_bytes=parts.settings.max_body_bytes)
    into = CollectionId(tenant=tenant, name=collection or parts.settings.collection)
    job = await parts.queue.submit(into, found, idempotency_key=idempotency_key)
    return accept(job, response, parts, message="Indexing started")


def _names(files: Sequence[UploadFile]) -> list[str]:
    """Names of the files, each of which may be the id of a document.

    Raises:
        InvalidField: a file has none, or one that cannot be an id.

    """
    names = []
    for number, file in enumerate(files):
        try:
            names.append(_ID.validate_python(file.filename))
        except ValidationError as error:
            raise InvalidField(
                f"files[{number}]",
                "Its name is missing, longer than 512 bytes, or has control characters.",
            ) from error
    return names


def _one_each(
    values: list[T], files: Sequence[UploadFile], *, field: str, distinct: bool = False
) -> list[T]:
    if len(values) != len(files):
        raise InvalidField(field, f"Give one for each of the {len(files)} files.")
    if distinct and len(set(values)) != len(values):
        raise InvalidField(field, "Two files have one id; if their names are alike, give ids.")
    return values


def _documents(
    pages: Sequence[Page | Unreadable],
    *,
    names: Sequence[str],
    ids: Sequence[str],
    metadatas: Sequence[dict[str, Any]],
) -> tuple[list[Document], list[FieldError]]:
    """Make documents of what was read, and a sentence for each file that could not be."""
    found: list[Document] = []
    wrong: list[FieldError] = []
    for number, page in enumerate(pages):
        try:
            if isinstance(page, Unreadable):
                raise page
            document = document_of(page, document_id=ids[number], source=names[number])
        except Unreadable as error:
            wrong.append(_wrong(number, names, str(error)))
        else:
            found.append(replace(document, metadata={**document.metadata, **metadatas[number]}))
    return found, wrong


def _check_text(found: Sequence[Document], *, most_bytes: int) -> None:
    size = sum(len(document.text.encode()) for document in found)
    if size > most_bytes:
        raise HTTPException(
            413,
            f"The files hold {size} bytes of text together, more than the {most_bytes} that are "
            "taken. Send fewer at a time.",
        )


def _wrong(number: int, names: Sequence[str], reason: str) -> FieldError:
    return FieldError(field=f"files[{number}]", message=f"{names[number]} {reason}.")


def _refused(request: Request, status_code: int, errors: Sequence[FieldError]) -> Response:
    told = " ".join(error.message for error in errors)
    return problem(request.scope, status_code, told, kind="file-refused", errors=errors)
