"""The service's settings: everything of the spec that is not a secret, in one ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.answering import LanguageModel, Rerank
from ragdeploy_operator.build import names, vector_store
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_service.settings import (
    DEFAULT_PROMPT,
    RELOADABLE,
    EmbeddingBackend,
    LogFormat,
    variable,
)

PORT = 8000
DATA_DIR = PurePosixPath("/data")
API_KEYS_DIR = PurePosixPath("/etc/ragdeploy/api-keys")
CONFIG_DIR = PurePosixPath("/etc/ragdeploy/config")

Value = str | bool | int | float | PurePosixPath | None


def config_map(resource: RagDeployment) -> Manifest:
    """Make the ConfigMap that the API's and the indexer's pods read as their environment."""
    return manifest(
        resource,
        api_version="v1",
        kind="ConfigMap",
        name=names.config(resource.name),
        component=names.Component.API,
        data=environment(resource),
    )


def environment(resource: RagDeployment) -> dict[str, str]:
    """Write all settings as environment variables, those that are not set left out."""
    values = _access(resource) | _answering(resource) | _cache(resource)
    return indexing(resource) | _variables(values)


def fixed(settings: Mapping[str, str]) -> dict[str, str]:
    """Leave out what the service reads anew while it runs: another value replaces no pod."""
    live = {variable(name) for name in RELOADABLE}
    return {name: value for name, value in settings.items() if name not in live}


def indexing(resource: RagDeployment) -> dict[str, str]:
    """Write those settings that matter to what embeds and writes documents."""
    data = _variables(_process() | _tracing(resource) | _embedding(resource) | _stores(resource))
    if resource.spec.embedding.backend == EmbeddingBackend.TORCH:
        # Where sentence-transformers keeps what it fetches; its default is on the root file system.
        data["HF_HOME"] = str(DATA_DIR / "huggingface")
    return data


def _variables(values: Mapping[str, Value]) -> dict[str, str]:
    return {variable(name): text(value) for name, value in values.items() if value is not None}


def text(value: Value) -> str:
    """Write a value as the service's settings read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _process() -> dict[str, Value]:
    return {
        "host": "0.0.0.0",  # noqa: S104 -- a pod is reached from outside itself
        "port": PORT,
        "data_dir": DATA_DIR,
        "log_format": LogFormat.JSON,
    }


def _tracing(resource: RagDeployment) -> dict[str, Value]:
    tracing = resource.spec.monitoring.tracing
    if tracing is None:
        return {}
    return {
        "tracing_endpoint": tracing.endpoint,
        "tracing_sample_ratio": tracing.sample_ratio,
        "tracing_service_name": resource.name,
    }


def _access(resource: RagDeployment) -> dict[str, Value]:
    auth = resource.spec.auth
    return {
        "auth_enabled": auth.enabled,
        "api_keys_dir": API_KEYS_DIR if auth.enabled else None,
        "rate_limit_requests_per_minute": auth.rate_limit.requests_per_minute,
        "rate_limit_tokens_per_minute": auth.rate_limit.tokens_per_minute,
        "config_dir": CONFIG_DIR,
    }


def _answering(resource: RagDeployment) -> dict[str, Value]:
    spec = resource.spec
    return {
        **(_language_model(spec.llm) if spec.llm else {}),
        **(_rerank(spec.retrieval.rerank) if spec.retrieval.rerank else {}),
        "top_k": spec.retrieval.top_k,
        "search_mode": spec.retrieval.mode,
        "min_score": spec.retrieval.min_score,
        "batch_max_size": spec.batching.max_batch_size,
        "batch_max_wait_ms": spec.batching.max_wait_ms,
    }


def _embedding(resource: RagDeployment) -> dict[str, Value]:
    embedding, chunking = resource.spec.embedding, resource.spec.retrieval.chunking
    return {
        "embedding_provider": embedding.provider,
        "embedding_model": embedding.model,
        "embedding_backend": embedding.backend,
        "embedding_precision": embedding.precision,
        "embedding_base_url": embedding.base_url,
        "chunk_size": chunking.size,
        "chunk_overlap": chunking.overlap,
    }


def _language_model(llm: LanguageModel) -> dict[str, Value]:
    return {
        "llm_base_url": llm.base_url,
        "llm_model": llm.model,
        "llm_temperature": llm.temperature,
        "llm_timeout_seconds": llm.timeout_seconds,
        "llm_max_retries": llm.max_retries,
        "llm_max_tokens": llm.max_tokens,
        # written out: a file that is gone would leave the value of the pod's start
        "llm_prompt_template": llm.prompt_template or DEFAULT_PROMPT,
    }


def _rerank(rerank: Rerank) -> dict[str, Value]:
    return {
        "rerank_backend": rerank.backend,
        "rerank": rerank.by_default,
        "rerank_model": rerank.model,
        "rerank_base_url": rerank.base_url,
        "rerank_candidates": rerank.candidates,
        "rerank_timeout_seconds": rerank.timeout_seconds,
    }


def _cache(resource: RagDeployment) -> dict[str, Value]:
    cache = resource.spec.cache
    return {"cache_ttl_seconds": cache.ttl_seconds, "cache_stale_seconds": cache.stale_seconds}


def _stores(resource: RagDeployment) -> dict[str, Value]:
    external = resource.spec.vector_store.external
    return {
        # whoever writes documents makes the cache forget
        "cache_enabled": resource.spec.cache.enabled,
        "milvus_uri": external.uri if external else vector_store.uri(resource),
        "milvus_database": external.database if external else None,
    }
