"""A reranker behind HTTP: the ``/rerank`` of Cohere, Jina, vLLM and Infinity, or that of TEI.

Nothing is tried twice: the order of retrieval is there already, and a second
try would cost more time than it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from ragdeploy_service.rag.errors import RerankerUnavailable
from ragdeploy_service.settings import RerankBackend, ServiceSettings

_CONNECT_SECONDS = 2.0

_REMEDIES = {
    401: "set a valid key in RAG_RERANK_API_KEY",
    403: "the key in RAG_RERANK_API_KEY may not use this model",
    404: "RAG_RERANK_BASE_URL or RAG_RERANK_MODEL names something that is not there",
}

_log = structlog.get_logger(__name__)


class _Result(BaseModel):
    index: int
    relevance_score: float


class _Results(BaseModel):
    results: list[_Result]


class _TeiResult(BaseModel):
    index: int
    score: float


_TEI_RESULTS = TypeAdapter(list[_TeiResult])


class HttpReranker:
    """Implements `rag.ports.Reranker`; whoever asks sets the deadline."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Make the client; it connects when it is first used."""
        self._url = f"{(settings.rerank_base_url or '').rstrip('/')}/rerank"
        self._model = settings.rerank_model
        self._tei = settings.rerank_backend is RerankBackend.TEI
        self.fingerprint = f"{settings.rerank_backend}|{self._url}|{self._model}"
        key = settings.rerank_api_key
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            timeout=httpx.Timeout(
                settings.rerank_timeout_seconds,
                connect=min(_CONNECT_SECONDS, settings.rerank_timeout_seconds),
            ),
        )

    async def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        try:
            response = await self._client.post(self._url, json=self._body(question, passages))
        except httpx.HTTPError as error:
            _log.warning("the reranker gave no answer", error=type(error).__name__)
            raise RerankerUnavailable("The reranker gave no answer.") from error
        if not response.is_success:
            status = response.status_code
            _log.warning("the reranker refuses", status=status, remedy=_REMEDIES.get(status))
            raise RerankerUnavailable(f"The reranker answers {status}.")
        found = self._read(response)
        if sorted(index for index, _ in found) != list(range(len(passages))):
            _log.warning("the reranker leaves passages out", asked=len(passages), told=len(found))
            raise RerankerUnavailable("The reranker does not score every passage once.")
        return [score for _, score in sorted(found)]

    async def close(self) -> None:
        await self._client.aclose()

    def _body(self, question: str, passages: Sequence[str]) -> dict[str, Any]:
        if self._tei:
            return {"query": question, "texts": list(passages), "truncate": True}
        return {"model": self._model, "query": question, "documents": list(passages)}

    def _read(self, response: httpx.Response) -> list[tuple[int, float]]:
        try:
            if self._tei:
                rows = _TEI_RESULTS.validate_json(response.content)
                return [(row.index, row.score) for row in rows]
            results = _Results.model_validate_json(response.content).results
            return [(row.index, row.relevance_score) for row in results]
        except ValidationError as error:
            _log.warning("the reranker's reply cannot be read")
            raise RerankerUnavailable("The reranker's reply cannot be read.") from error
