"""Embeds on a server that speaks OpenAI's embeddings API."""

from __future__ import annotations

import asyncio

import numpy as np
import openai
import structlog

from ragdeploy_service.adapters.openai_client import http_client
from ragdeploy_service.rag.errors import EmbedderUnavailable
from ragdeploy_service.rag.ports import Vectors
from ragdeploy_service.settings import ServiceSettings, variable

OPENAI_URL = "https://api.openai.com/v1"

# Longest input of OpenAI's models; other servers cut off earlier on their own.
_MAX_TOKENS = 8191
# For one batch, retries included. The library's own default is ten minutes.
_DEADLINE_SECONDS = 20.0
_RETRIES = 2

_log = structlog.get_logger(__name__)


class OpenAIEncoder:
    """A model behind ``POST /embeddings``.

    The library retries connection errors, 408, 429 and 5xx with backoff and
    honours Retry-After; the deadline bounds it all.
    """

    max_tokens = _MAX_TOKENS
    tokenizer = None
    concurrency = 8

    def __init__(self, client: openai.AsyncOpenAI, *, model: str, dimension: int) -> None:
        self._client = client
        self._model = model
        self.dimension = dimension
        # The server may move, so its address is no part of what the vectors are.
        self.fingerprint = f"openai|{model}|{dimension}"

    @classmethod
    async def connect(cls, settings: ServiceSettings) -> OpenAIEncoder:
        """Embed one word to learn the dimension.

        Raises:
            EmbedderUnavailable: the server gives no vector in time.
        """
        base_url = settings.embedding_base_url or OPENAI_URL
        key = settings.embedding_api_key
        if key is None and base_url == (settings.llm_base_url or OPENAI_URL):
            key = settings.llm_api_key
        client = openai.AsyncOpenAI(
            base_url=base_url,
            # A server of one's own often asks for none, and the library insists on one.
            api_key=key.get_secret_value() if key else "none",
            max_retries=_RETRIES,
            timeout=_DEADLINE_SECONDS,
            http_client=http_client(openai.Timeout(_DEADLINE_SECONDS)),
        )
        try:
            vectors = await _embed(client, settings.embedding_model, ["dimension"])
        except BaseException:
            await client.close()
            raise
        return cls(client, model=settings.embedding_model, dimension=vectors.shape[1])

    async def encode(self, texts: list[str]) -> Vectors:
        vectors = await _embed(self._client, self._model, texts)
        if vectors.shape[1] != self.dimension:
            raise EmbedderUnavailable(
                f"The embedding server now gives vectors of length {vectors.shape[1]}; they had "
                f"length {self.dimension} when the service started."
            )
        return vectors

    async def close(self) -> None:
        await self._client.close()


async def _embed(client: openai.AsyncOpenAI, model: str, texts: list[str]) -> Vectors:
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            # The API refuses an empty input.
            response = await client.embeddings.create(
                model=model, input=[text if text.strip() else "-" for text in texts]
            )
        rows = sorted(response.data, key=lambda row: row.index)
        vectors = np.array([row.embedding for row in rows], dtype=np.float32)
    except TimeoutError as error:
        raise EmbedderUnavailable(
            f"The embedding server gave no answer within {_DEADLINE_SECONDS:.0f} s."
        ) from error
    except openai.OpenAIError as error:
        _log.warning("the embedding server failed", error=str(error))
        raise EmbedderUnavailable(_reason(error)) from error
    except (ValueError, TypeError, AttributeError) as error:  # the library checks no body
        raise EmbedderUnavailable("The embedding server answers without vectors.") from error
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise EmbedderUnavailable(
            f"The embedding server answers {len(texts)} texts with {len(vectors)} vectors."
        )
    # OpenAI's are of length 1 already; those of other servers need not be.
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _reason(error: openai.OpenAIError) -> str:
    """Say what went wrong without the server's address or words, which may hold secrets."""
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return f"The embedding server refuses the key; set {variable('embedding_api_key')}."
        case openai.NotFoundError():
            return (
                "The embedding server does not know the model or the path; check "
                f"{variable('embedding_model')} and {variable('embedding_base_url')}."
            )
        case openai.APIStatusError():
            return f"The embedding server answers {error.status_code}."
        case _:
            return "The embedding server cannot be reached."
