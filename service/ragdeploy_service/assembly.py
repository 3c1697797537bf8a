"""Puts together what answers questions, as the settings say."""

from __future__ import annotations

from collections.abc import Set

from ragdeploy_service.adapters.redis.cache import RedisCache
from ragdeploy_service.adapters.redis.client import namespace
from ragdeploy_service.observability.metrics import Metrics
from ragdeploy_service.rag.answering.ladder import Ladder
from ragdeploy_service.rag.answering.pipeline import Pipeline
from ragdeploy_service.rag.answering.prompt import Prompt
from ragdeploy_service.rag.answering.quoting import Quoter
from ragdeploy_service.rag.answering.reranking import Reranking
from ragdeploy_service.rag.answering.retrieval import Retriever
from ragdeploy_service.rag.answering.writing import Writer
from ragdeploy_service.rag.caching.records import KeyBase
from ragdeploy_service.rag.caching.semantic import SemanticCache
from ragdeploy_service.rag.concurrency.breaker import Breaker
from ragdeploy_service.rag.concurrency.leading import Leading
from ragdeploy_service.rag.concurrency.slots import Slots
from ragdeploy_service.rag.errors import (
    LanguageModelUnavailable,
    Overloaded,
    RerankerUnavailable,
    VectorStoreUnavailable,
)
from ragdeploy_service.rag.jobs.epochs import EpochGate
from ragdeploy_service.rag.ports import (
    AnswerCache,
    Embedder,
    LanguageModel,
    Reranker,
    VectorStore,
)
from ragdeploy_service.rag.ports.job_queue import JobQueue
from ragdeploy_service.settings import ServiceSettings


def ladder(
    settings: ServiceSettings,
    metrics: Metrics,
    embedder: Embedder,
    store: VectorStore,
    reranker: Reranker | None,
    llm: LanguageModel | None,
    cache: AnswerCache,
    queue: JobQueue,
) -> Ladder:
    """Make it from parts that are there already; answers are quotations without a ``llm``."""
    prompt = Prompt(settings.llm_prompt_template)
    link_hosts = frozenset(host.lower() for host in settings.answer_link_hosts)
    keys = KeyBase(
        store=namespace(settings),
        embedding=embedder.fingerprint,
        reranker=reranker.fingerprint if reranker else "",
        llm=_llm_identity(settings) if llm else "extractive",
        prompt="\n".join((prompt.fingerprint, *sorted(link_hosts))),
    )
    pipeline = Pipeline(
        retriever=Retriever(
            embedder=embedder,
            store=store,
            breaker=Breaker(
                "vector store",
                failure=VectorStoreUnavailable,
                failures=3,
                seconds=settings.breaker_seconds,
            ),
            reranking=_reranking(settings, reranker),
            telemetry=metrics,
        ),
        writer=_writer(settings, llm, prompt, link_hosts),
        quoter=Quoter(link_hosts=link_hosts),
        cache=cache,
        semantic=SemanticCache(embedder, min_similarity=settings.semantic_cache_min_similarity)
        if settings.semantic_cache_enabled
        else None,
        leading=Leading(cache if isinstance(cache, RedisCache) else None),
        epochs=EpochGate(queue),
        keys=keys,
        telemetry=metrics,
    )
    capacity = Slots(
        settings.max_questions,
        refusal=Overloaded(
            f"{settings.max_questions} questions are being answered already. Ask again in a few "
            "seconds."
        ),
    )
    return Ladder(pipeline, capacity=capacity, telemetry=metrics)


def _reranking(settings: ServiceSettings, reranker: Reranker | None) -> Reranking | None:
    if reranker is None:
        return None
    breaker = Breaker(
        "reranker", failure=RerankerUnavailable, failures=5, seconds=settings.breaker_seconds
    )
    return Reranking(
        reranker,
        breaker=breaker,
        candidates=settings.rerank_candidates,
        seconds=settings.rerank_timeout_seconds,
    )


def _writer(
    settings: ServiceSettings, llm: LanguageModel | None, prompt: Prompt, link_hosts: Set[str]
) -> Writer | None:
    if llm is None:
        return None
    breaker = Breaker(
        "language model",
        failure=LanguageModelUnavailable,
        failures=5,
        seconds=settings.breaker_seconds,
    )
    return Writer(llm=llm, prompt=prompt, link_hosts=link_hosts, breaker=breaker)


def _llm_identity(settings: ServiceSettings) -> str:
    """Name all that changes what the model writes, but the prompt."""
    return "\n".join(
        (
            settings.llm_base_url or "openai",
            settings.llm_model,
            str(settings.llm_temperature),
            str(settings.llm_max_tokens),
        )
    )
