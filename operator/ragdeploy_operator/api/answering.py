"""The parts that decide how a question is answered: language model, embeddings, retrieval."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ragdeploy_operator.api.common import SecretKeyRef
from ragdeploy_operator.api.model import Model, Rule, setting
from ragdeploy_service.settings import (
    DEFAULT_EMBEDDING_MODEL,
    DEFAULT_RERANK_MODEL,
    EmbeddingBackend,
    EmbeddingPrecision,
    EmbeddingProvider,
    RerankBackend,
)


class LanguageModel(Model):
    """The language model that writes the answers."""

    base_url: str | None = setting(
        "llm_base_url",
        "Root of an OpenAI-compatible API, such as http://vllm.models.svc:8000/v1; "
        "OpenAI's own when absent.",
        max_length=2048,
    )
    model: str = setting("llm_model", "Name of the model, as the API knows it.", max_length=256)
    temperature: float = setting(
        "llm_temperature", "Sampling temperature; 0 gives the steadiest answers."
    )
    timeout_seconds: int = setting(
        "llm_timeout_seconds",
        "Deadline for one answer, all retries included, in seconds.",
        default=30,
        gt=None,
        ge=1,
    )
    max_retries: int = setting("llm_max_retries", "Retries within the deadline.")
    max_tokens: int = setting("llm_max_tokens", "Longest answer, in tokens.")
    prompt_template: str | None = setting(
        "llm_prompt_template",
        "Prompt with the places {context} and {question}; the service's own when absent.",
        default=None,
        max_length=16384,
    )
    api_key_secret_ref: SecretKeyRef | None = Field(
        None, description="Where the API key is; not needed for an API that asks for none."
    )

    rules = (
        Rule(
            cel="has(self.baseURL) || has(self.apiKeySecretRef)",
            message="llm needs apiKeySecretRef (a key for OpenAI), baseURL (an API of your own), "
            "or both",
            holds=lambda self: bool(self.base_url or self.api_key_secret_ref),
        ),
        Rule(
            cel="!has(self.promptTemplate) || (self.promptTemplate.contains('{context}') "
            "&& self.promptTemplate.contains('{question}'))",
            message="promptTemplate must contain {context} and {question}",
            field=".promptTemplate",
            holds=lambda self: (
                self.prompt_template is None
                or ("{context}" in self.prompt_template and "{question}" in self.prompt_template)
            ),
        ),
    )


class Embedding(Model):
    """What turns texts into vectors. Another model means indexing all documents again."""

    provider: EmbeddingProvider = setting(
        "embedding_provider", "Compute in the API's own pods (local) or ask an API (openai)."
    )
    model: str = setting("embedding_model", "Name of the model.", max_length=256)
    backend: EmbeddingBackend = setting(
        "embedding_backend",
        "What computes local embeddings: onnx runs the default model; torch runs any that "
        "sentence-transformers can load, and needs an image with the torch extra.",
    )
    precision: EmbeddingPrecision = setting(
        "embedding_precision",
        "fp32, or int8, which halves the processor time of a text and finds 0.9 of what fp32 "
        "finds. Another one means indexing all documents again. For backend onnx.",
    )
    base_url: str | None = setting(
        "embedding_base_url",
        "Root of an OpenAI-compatible API, for provider openai; OpenAI's own when absent.",
        max_length=2048,
    )
    api_key_secret_ref: SecretKeyRef | None = Field(
        None, description="Where that API's key is, for provider openai."
    )

    rules = (
        Rule(
            cel="self.precision == 'fp32' || (self.provider == 'local' && self.backend == 'onnx')",
            message="precision int8 goes with provider local and backend onnx: leave it out",
            field=".precision",
            holds=lambda self: (
                self.precision == EmbeddingPrecision.FP32
                or (not self.is_openai and self.backend == EmbeddingBackend.ONNX)
            ),
        ),
        Rule(
            cel="self.provider != 'openai' || has(self.baseURL) || has(self.apiKeySecretRef)",
            message="embedding with provider openai needs apiKeySecretRef (a key for OpenAI), "
            "baseURL (an API of your own), or both",
            holds=lambda self: not self.is_openai or bool(self.base_url or self.api_key_secret_ref),
        ),
        Rule(
            cel="self.provider != 'openai' || has(self.baseURL) "
            f"|| self.model != '{DEFAULT_EMBEDDING_MODEL}'",
            message="OpenAI does not serve the default model: set embedding.model, "
            "for example to text-embedding-3-small",
            field=".model",
            holds=lambda self: (
                not self.is_openai or bool(self.base_url) or not self.is_default_model
            ),
        ),
        Rule(
            cel="self.provider == 'openai' || !(has(self.baseURL) || has(self.apiKeySecretRef))",
            message="embedding.baseURL and embedding.apiKeySecretRef need provider openai",
            holds=lambda self: self.is_openai or not (self.base_url or self.api_key_secret_ref),
        ),
        Rule(
            cel="self.provider == 'local' || self.backend == 'onnx'",
            message="backend torch computes embeddings in the API's own pods: "
            "set provider local or leave backend out",
            field=".backend",
            holds=lambda self: not (self.is_openai and self.backend == EmbeddingBackend.TORCH),
        ),
        Rule(
            cel="self.provider != 'local' || self.backend != 'onnx' "
            f"|| self.model == '{DEFAULT_EMBEDDING_MODEL}'",
            message=f"backend onnx runs {DEFAULT_EMBEDDING_MODEL} only: for another model set "
            "backend torch and an image with the torch extra",
            field=".model",
            holds=lambda self: (
                self.is_openai or self.backend == EmbeddingBackend.TORCH or self.is_default_model
            ),
        ),
    )

    @property
    def is_openai(self) -> bool:
        """Whether an API computes the embeddings."""
        return self.provider == EmbeddingProvider.OPENAI

    @property
    def is_default_model(self) -> bool:
        """Whether the model is the one that the service's image carries."""
        return self.model == DEFAULT_EMBEDDING_MODEL


class Chunking(Model):
    """How documents are cut into passages."""

    size: int = setting("chunk_size", "Longest passage, in tokens of the embedding model.")
    overlap: int = setting("chunk_overlap", "Tokens that neighbouring passages share.")

    rules = (
        Rule(
            cel="self.overlap * 2 <= self.size",
            message="chunking.overlap must be at most half of chunking.size",
            field=".overlap",
            holds=lambda self: self.overlap * 2 <= self.size,
        ),
    )


class Rerank(Model):
    """A reranker, which puts the passages found in a better order before they are answered from."""

    backend: RerankBackend = Field(
        description="What scores passages: a cross-encoder in the API's own pods (onnx), a server "
        "with the /rerank of Cohere, Jina, vLLM and others (http), or Hugging Face's "
        "text-embeddings-inference (tei).",
    )
    by_default: bool = setting(
        "rerank", "Rerank where a question does not say; it costs time.", default=True
    )
    model: str = setting(
        "rerank_model",
        "Name of the model, as the hub or the server has it. The default one reads English, and is "
        "fetched from the hub at the start of a pod.",
        max_length=256,
    )
    base_url: str | None = setting(
        "rerank_base_url", "Root of the server, to which /rerank is added.", max_length=2048
    )
    api_key_secret_ref: SecretKeyRef | None = Field(None, description="Where the server's key is.")
    candidates: int = setting(
        "rerank_candidates",
        "Most passages that are found and reranked for one question; four times as many as are "
        "asked for, if that is less.",
    )
    timeout_seconds: int = setting(
        "rerank_timeout_seconds",
        "Time to rerank, in seconds; then the passages stay in the order in which they were found.",
        default=3,
        gt=None,
        ge=1,
    )

    rules = (
        Rule(
            cel="(self.backend == 'onnx') != has(self.baseURL)",
            message="rerank.baseURL goes with backend http or tei, and is needed there",
            holds=lambda self: (self.backend is RerankBackend.ONNX) != (self.base_url is not None),
        ),
        Rule(
            cel="self.backend != 'onnx' || !has(self.apiKeySecretRef)",
            message="rerank.apiKeySecretRef goes with backend http or tei: leave it out",
            holds=lambda self: (
                self.backend is not RerankBackend.ONNX or self.api_key_secret_ref is None
            ),
        ),
        Rule(
            cel=f"self.backend != 'onnx' || self.model == '{DEFAULT_RERANK_MODEL}'",
            message=f"backend onnx runs {DEFAULT_RERANK_MODEL} only: leave rerank.model out, or "
            "let a server run the model",
            field=".model",
            holds=lambda self: (
                self.backend is not RerankBackend.ONNX or self.model == DEFAULT_RERANK_MODEL
            ),
        ),
    )


class Retrieval(Model):
    """What is looked up for a question."""

    top_k: int = setting("top_k", "Passages per answer where the question names no number.")
    mode: Literal["dense", "sparse", "hybrid"] = setting(
        "search_mode",
        "How passages are found where the question does not say: by meaning (dense), by words "
        "(sparse, BM25), or by both (hybrid).",
    )
    min_score: float = setting(
        "min_score", "Passages with a lower cosine similarity (-1 to 1) are left out."
    )
    chunking: Chunking = Field(Chunking(), description="How documents are cut into passages.")
    rerank: Rerank | None = Field(
        None, description="What reranks the passages found; nothing when absent."
    )


class Batching(Model):
    """How questions that come at the same time are embedded together."""

    max_batch_size: int = setting("batch_max_size", "Most questions embedded at once.")
    max_wait_ms: int = setting(
        "batch_max_wait_ms",
        "Cap on the wait for a batch, in milliseconds. With nothing else to do, a question does "
        "not wait.",
        default=100,
    )
