"""Every setting of the service, and the one place where their names stand.

The service reads them from its environment. The operator imports this package
to write that environment, so that a name cannot drift apart between the two:
KAITO's RAGEngine shows what happens otherwise (a field of the resource that
nothing reads). Nothing heavier than pydantic may be imported here, because
the operator installs without the service's dependencies.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ragdeploy_service.settings.access import MOST_PER_MINUTE, AccessSettings
from ragdeploy_service.settings.answers import DEFAULT_PROMPT, AnswerSettings
from ragdeploy_service.settings.embedding import (
    DEFAULT_EMBEDDING_MODEL,
    EmbeddingBackend,
    EmbeddingPrecision,
    EmbeddingProvider,
    EmbeddingSettings,
)
from ragdeploy_service.settings.naming import NAME_PATTERN, PREFIX
from ragdeploy_service.settings.process import (
    LogFormat,
    ProcessSettings,
    Role,
    TracingSettings,
)
from ragdeploy_service.settings.reloading import RELOADABLE
from ragdeploy_service.settings.reranking import (
    DEFAULT_RERANK_MODEL,
    RerankBackend,
    RerankSettings,
)
from ragdeploy_service.settings.retrieval import RetrievalSettings
from ragdeploy_service.settings.stores import CacheSettings, VectorStoreSettings

__all__ = [
    "DEFAULT_EMBEDDING_MODEL",
    "DEFAULT_PROMPT",
    "DEFAULT_RERANK_MODEL",
    "MOST_PER_MINUTE",
    "NAME_PATTERN",
    "PREFIX",
    "RELOADABLE",
    "EmbeddingBackend",
    "EmbeddingPrecision",
    "EmbeddingProvider",
    "LogFormat",
    "RerankBackend",
    "Role",
    "ServiceSettings",
    "variable",
]


# The reference lists the last base first.
class ServiceSettings(
    VectorStoreSettings,
    CacheSettings,
    RerankSettings,
    RetrievalSettings,
    EmbeddingSettings,
    AnswerSettings,
    AccessSettings,
    TracingSettings,
    ProcessSettings,
    BaseSettings,
):
    """The service's configuration; each field is read from ``RAG_<NAME>``.

    A few are also read from the variable that other software uses for the
    same thing (``OPENAI_API_KEY``, ``REDIS_URL``, ...); the ``RAG_`` name wins.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    @model_validator(mode="after")
    def _shared_parts_are_named(self) -> Self:
        if self.role is not Role.ALL and not (self.redis_url and self.milvus_uri):
            raise ValueError(
                f"RAG_ROLE={self.role} needs RAG_REDIS_URL and RAG_MILVUS_URI, by which the API "
                "and the indexers share jobs and passages"
            )
        return self


def variable(field: str) -> str:
    """Name of the environment variable that sets ``field``.

    Raises:
        KeyError: the service has no such setting, so nothing would read it.
    """
    if field not in ServiceSettings.model_fields:
        raise KeyError(f"the service has no setting {field!r}")
    return f"{PREFIX}{field}".upper()
