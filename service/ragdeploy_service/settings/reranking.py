"""Whether passages are put in a better order before they are answered from, and by what."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from ragdeploy_service.settings.naming import ADDRESS_PATTERN

DEFAULT_RERANK_MODEL = "cross-encoder/ms-marco-MiniLM-L6-v2"


class RerankBackend(StrEnum):
    """What reranks."""

    ONNX = "onnx"
    HTTP = "http"
    TEI = "tei"


class RerankSettings(BaseModel):
    """The reranker; none unless `rerank_backend` names one."""

    rerank_backend: RerankBackend | None = Field(
        None,
        description="What puts the passages found in a better order, for requests with `rerank`: a "
        "cross-encoder in this process, a server with the `/rerank` of Cohere, Jina, vLLM and "
        "others, or Hugging Face's text-embeddings-inference. Nothing when absent.",
    )
    rerank: bool = Field(False, description="Rerank where a request does not say.")
    rerank_model: str = Field(
        DEFAULT_RERANK_MODEL,
        min_length=1,
        description="Model name, as the hub or the server has it. The default one reads English.",
    )
    rerank_model_dir: Path | None = Field(
        None,
        description="Folder with the cross-encoder's model.onnx and tokenizer.json; the default "
        "one is fetched into data_dir when absent.",
    )
    rerank_base_url: str | None = Field(
        None,
        pattern=ADDRESS_PATTERN,
        description="Root of the server, to which `/rerank` is added.",
    )
    rerank_api_key: SecretStr | None = Field(None, description="Its key.")
    rerank_candidates: int = Field(
        32,
        ge=1,
        le=200,
        description="Most passages that are found and reranked for one question; four times as "
        "many as are asked for, if that is less.",
    )
    rerank_timeout_seconds: float = Field(
        3.0,
        gt=0,
        le=60,
        description="Time to rerank, at most half of what the question has left, in seconds; then "
        "the passages stay in the order in which they were found.",
    )

    @model_validator(mode="after")
    def _reranker_is_whole(self) -> Self:
        if self.rerank and self.rerank_backend is None:
            raise ValueError("rerank needs a reranker: set RAG_RERANK_BACKEND")
        remote = self.rerank_backend in {RerankBackend.HTTP, RerankBackend.TEI}
        if remote and self.rerank_base_url is None:
            raise ValueError(
                f"RAG_RERANK_BACKEND={self.rerank_backend} needs the server's address in "
                "RAG_RERANK_BASE_URL"
            )
        return self
