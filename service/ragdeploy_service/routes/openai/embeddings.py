"""``/v1/embeddings``: the vectors that documents are found by."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.accounts.account import estimated_usage
from ragdeploy_service.rag.errors import CollectionNotFound, DeadlineExceeded, InvalidField
from ragdeploy_service.rag.models import Stage
from ragdeploy_service.routes.dependencies import Parts
from ragdeploy_service.routes.guard import GuardedRoute, needs
from ragdeploy_service.routes.leaving import while_connected
from ragdeploy_service.routes.openai.common import POST_ERRORS

router = APIRouter(route_class=GuardedRoute)

_BYTES = 2 * 2**20

_Text = Annotated[str, StringConstraints(min_length=1, max_length=32_768)]


class EmbeddingRequest(BaseModel):
    """Texts to embed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field(description="The service's embedding model; GET /v1/models names it.")
    input: _Text | Annotated[list[_Text], Field(min_length=1, max_length=256)] = Field(
        description="A text, or up to 256. Tokens are not taken. What is longer than the model's "
        "window is cut."
    )
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="`base64` is of little-endian 32-bit floats."
    )
    dimensions: int | None = Field(
        None, description="Length of a vector; the model has only one, and others are refused."
    )
    user: str | None = Field(None, description="Accepted, and without effect.")


class Embedding(BaseModel):
    """The vector of one text, of length 1."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens, estimated."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """One vector for each text, in order."""

    object: Literal["list"] = "list"
    model: str
    data: list[Embedding]
    usage: EmbeddingUsage


@router.post(
    "/embeddings",
    dependencies=[needs(Access.QUERY, most_bytes=_BYTES)],
    response_model=EmbeddingList,
    responses=POST_ERRORS,
    summary="Embed texts",
)
async def create_embeddings(body: EmbeddingRequest, request: Request, parts: Parts) -> Response:
    """Embed texts with the model that the documents are embedded with."""
    if body.model != parts.settings.embedding_model:
        raise CollectionNotFound(
            "There is no such embedding model here. GET /v1/models names the one there is."
        )
    if body.dimensions not in (None, parts.embedder.dimension):
        raise InvalidField("dimensions", f"Vectors have {parts.embedder.dimension} dimensions.")
    texts = [body.input] if isinstance(body.input, str) else body.input
    seconds = parts.settings.query_timeout_seconds
    try:
        async with asyncio.timeout(seconds):
            vectors = await while_connected(request, parts.embedder.embed_documents(texts))
    except TimeoutError as error:
        raise DeadlineExceeded(
            f"The texts were not embedded in {seconds:g} s.", stage=Stage.EMBED
        ) from error
    encode = _base64 if body.encoding_format == "base64" else _floats
    tokens = sum(estimated_usage(prompt=text, completion="").prompt_tokens for text in texts)
    answer = EmbeddingList.model_construct(
        model=body.model,
        data=[
            Embedding.model_construct(index=index, embedding=encode(vector))
            for index, vector in enumerate(vectors)
        ],
        usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
    )
    return Response(answer.model_dump_json(), media_type="application/json")


def _floats(vector: NDArray[np.float32]) -> list[float]:
    numbers: list[float] = vector.tolist()
    return numbers


def _base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
