"""The operator and the service agree: every field has an effect, every variable is read.

Where they drifted apart in other projects, a field of the resource did nothing
for months (KAITO's RAGEngine: ``spec.embedding``).
"""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from pydantic import SecretStr

from ragdeploy_operator.api import Spec
from ragdeploy_operator.api.common import SecretKeyRef
from ragdeploy_service.settings import ServiceSettings, variable
from tests.operator.unit.resources import CACHE_PASSWORD, Json, children, parsed
from tests.operator.unit.specs import specs

DEFAULTS = {name: field.default for name, field in ServiceSettings.model_fields.items()}


def value_of(name: str, key: str) -> str:
    """What stands in a Secret that a user made."""
    return f"value of {key} in {name}"


WORKLOADS = ["docs-api", "docs-indexer"]


def environment(spec: Json, workload: str) -> dict[str, str]:
    """What the service's process finds in its environment."""
    uses = parsed(spec).spec.secret_uses()
    values = {(u.name, u.key): value_of(u.name, u.key) for u in uses if u.key is not None}
    return children(spec).environment(workload, values)


@pytest.mark.parametrize("workload", WORKLOADS)
@given(spec=specs())
def test_every_variable_is_one_that_the_service_reads(workload: str, spec: Json) -> None:
    known = {variable(field) for field in ServiceSettings.model_fields}
    assert {name for name in environment(spec, workload) if name.startswith("RAG_")} <= known


@given(specs())
def test_the_service_reads_exactly_what_the_resource_says(spec: Json) -> None:
    with patch.dict(os.environ, environment(spec, "docs-api"), clear=True):
        read = ServiceSettings()
    assert plain(read) == DEFAULTS | expected_settings(parsed(spec).spec)


@given(specs())
def test_the_indexer_reads_the_same_but_the_keys_that_only_answers_need(spec: Json) -> None:
    wanted = parsed(spec).spec
    with patch.dict(os.environ, environment(spec, "docs-indexer"), clear=True):
        read = ServiceSettings()
    assert plain(read) == DEFAULTS | expected_settings(wanted) | {
        "role": "indexer",
        "drain_seconds": wanted.indexer.drain_seconds,
        "llm_api_key": None,
        "rerank_api_key": None,
    }


def plain(read: ServiceSettings) -> Json:
    """All settings, secrets too."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in read
    }


def expected_settings(spec: Spec) -> Json:
    """What the resource means for the service, read a second time by hand."""
    cache, store = spec.cache.external, spec.vector_store.external
    own_redis = f"redis://:{CACHE_PASSWORD}@docs-cache.shop.svc:6379/0"
    own_milvus = "http://docs-vector-store.shop.svc:19530"
    return (
        {
            "role": "api",
            "host": "0.0.0.0",
            "port": 8000,
            "data_dir": Path("/data"),
            "log_format": "json",
            "drain_seconds": spec.api.drain_seconds,
            "auth_enabled": spec.auth.enabled,
            "config_dir": Path("/etc/ragdeploy/config"),
            "api_keys_dir": Path("/etc/ragdeploy/api-keys") if spec.auth.enabled else None,
            "rate_limit_requests_per_minute": spec.auth.rate_limit.requests_per_minute,
            "rate_limit_tokens_per_minute": spec.auth.rate_limit.tokens_per_minute,
            "embedding_provider": spec.embedding.provider,
            "embedding_model": spec.embedding.model,
            "embedding_backend": spec.embedding.backend,
            "embedding_precision": spec.embedding.precision,
            "embedding_base_url": spec.embedding.base_url,
            "embedding_api_key": secret(spec.embedding.api_key_secret_ref),
            "top_k": spec.retrieval.top_k,
            "search_mode": spec.retrieval.mode,
            "min_score": spec.retrieval.min_score,
            "batch_max_size": spec.batching.max_batch_size,
            "batch_max_wait_ms": spec.batching.max_wait_ms,
            "chunk_size": spec.retrieval.chunking.size,
            "chunk_overlap": spec.retrieval.chunking.overlap,
            "cache_enabled": spec.cache.enabled,
            "cache_ttl_seconds": spec.cache.ttl_seconds,
            "cache_stale_seconds": spec.cache.stale_seconds,
            "redis_url": secret(cache.url_secret_ref) if cache else own_redis,
            "milvus_uri": store.uri if store else own_milvus,
            "milvus_token": secret(store.token_secret_ref) if store else None,
            "milvus_database": store.database if store else "default",
        }
        | expected_llm_settings(spec)
        | expected_rerank_settings(spec)
        | expected_tracing_settings(spec)
    )


def expected_rerank_settings(spec: Spec) -> Json:
    rerank = spec.retrieval.rerank
    if rerank is None:
        return {}
    return {
        "rerank_backend": rerank.backend,
        "rerank": rerank.by_default,
        "rerank_model": rerank.model,
        "rerank_base_url": rerank.base_url,
        "rerank_api_key": secret(rerank.api_key_secret_ref),
        "rerank_candidates": rerank.candidates,
        "rerank_timeout_seconds": rerank.timeout_seconds,
    }


def expected_tracing_settings(spec: Spec) -> Json:
    tracing = spec.monitoring.tracing
    if tracing is None:
        return {}
    return {
        "tracing_endpoint": tracing.endpoint,
        "tracing_sample_ratio": tracing.sample_ratio,
        "tracing_service_name": "docs",
    }


def expected_llm_settings(spec: Spec) -> Json:
    llm = spec.llm
    if llm is None:
        return {}
    return {
        "llm_base_url": llm.base_url,
        "llm_api_key": secret(llm.api_key_secret_ref),
        "llm_model": llm.model,
        "llm_temperature": llm.temperature,
        "llm_timeout_seconds": llm.timeout_seconds,
        "llm_max_retries": llm.max_retries,
        "llm_max_tokens": llm.max_tokens,
        "llm_prompt_template": llm.prompt_template or DEFAULTS["llm_prompt_template"],
    }


def secret(ref: SecretKeyRef | None) -> str | None:
    return value_of(ref.name, ref.key) if ref else None
