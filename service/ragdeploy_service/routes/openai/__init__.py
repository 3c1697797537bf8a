"""OpenAI's API over the same documents, so that its clients work against this service unchanged."""

from fastapi import APIRouter

from ragdeploy_service.routes.openai import (
    chat,
    embeddings,
    models,
    vector_store_list,
    vector_stores,
)

router = APIRouter(prefix="/v1", tags=["openai"])
for part in (models, chat, embeddings, vector_store_list, vector_stores):
    router.include_router(part.router)
