"""``/v1/models``: each collection is a model that answers from it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.errors import CollectionNotFound
from ragdeploy_service.routes.dependencies import Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.openai.common import MODEL, errors, model_name
from ragdeploy_service.services import Services

router = APIRouter(route_class=GuardedRoute)

_ERRORS = errors(401, 403, 503)


class Model(BaseModel):
    """A model, as OpenAI describes one."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(0, description="Always 0: it is not known.")
    owned_by: str


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get(
    "/models",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=_ERRORS,
    summary="List models",
)
async def list_models(parts: Parts, tenant: Tenant) -> ModelList:
    """List the models that answer, one for each collection, and the embedding model.

    `ragdeploy` answers from the default collection, `ragdeploy/NAME` from the collection NAME.
    """
    return ModelList(data=await _models(parts, tenant))


@router.get(
    "/models/{model:path}",
    dependencies=[needs(Access.QUERY, counted=False)],
    responses=_ERRORS | errors(404),
    summary="Look at a model",
)
async def retrieve_model(model: str, parts: Parts, tenant: Tenant) -> Model:
    """Look at one of the models."""
    for known in await _models(parts, tenant):
        if known.id == model:
            return known
    raise CollectionNotFound("There is no such model. GET /v1/models lists those that there are.")


async def _models(parts: Services, tenant: str) -> list[Model]:
    names = await parts.store.names(tenant)
    chat = [Model(id=name, owned_by=MODEL) for name in (MODEL, *map(model_name, names))]
    return [*chat, Model(id=parts.settings.embedding_model, owned_by="embedding")]
