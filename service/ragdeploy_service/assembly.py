"""Puts together what answers questions, as the settings say."""

from __future__ import annotations

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


class Answering:
    """What answers questions; its wording may change while it works.

    A question that is being answered ends with the wording that it began with, because its
    answer is kept under a key that names it.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        metrics: Metrics,
        embedder: Embedder,
        store: VectorStore,
        reranker: Reranker | None,
        llm: LanguageModel | None,
        cache: AnswerCache,
        queue: JobQueue,
    ) -> None:
        """Make it from parts that are there already; answers are quotations without a ``llm``."""
        self._metrics = metrics
        self._embedder = embedder
        self._reranker = reranker
        self._llm = llm
        self._cache = cache
        self._epochs = EpochGate(queue)
        self._leading = Leading(cache if isinstance(cache, RedisCache) else None)
        self._link_hosts = frozenset(host.lower() for host in settings.answer_link_hosts)
        self._retriever = Retriever(
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
        )
        self._model_breaker = Breaker(
            "language model",
            failure=LanguageModelUnavailable,
            failures=5,
            seconds=settings.breaker_seconds,
        )
        self._capacity = Slots(
            settings.max_questions,
            refusal=Overloaded(
                f"{settings.max_questions} questions are being answered already. Ask again in a "
                "few seconds."
            ),
        )
        self._wording = settings.llm_prompt_template
        self.ladder = self._worded(settings)
        """What answers the next question."""

    def reload(self, settings: ServiceSettings) -> None:
        """Answer in the wording of other settings from now on."""
        if settings.llm_prompt_template != self._wording:
            self._wording = settings.llm_prompt_template
            self.ladder = self._worded(settings)

    def _worded(self, settings: ServiceSettings) -> Ladder:
        """Make all that depends on the prompt; what is busy or broken stays so."""
        prompt = Prompt(settings.llm_prompt_template)
        keys = KeyBase(
            store=namespace(settings),
            embedding=self._embedder.fingerprint,
            reranker=self._reranker.fingerprint if self._reranker else "",
            llm=_llm_identity(settings) if self._llm else "extractive",
            prompt="\n".join((prompt.fingerprint, *sorted(self._link_hosts))),
        )
        writer = None
        if self._llm is not None:
            writer = Writer(
                llm=self._llm,
                prompt=prompt,
                link_hosts=self._link_hosts,
                breaker=self._model_breaker,
            )
        semantic = None
        if settings.semantic_cache_enabled:
            similarity = settings.semantic_cache_min_similarity
            semantic = SemanticCache(self._embedder, min_similarity=similarity)
        pipeline = Pipeline(
            retriever=self._retriever,
            writer=writer,
            quoter=Quoter(link_hosts=self._link_hosts),
            cache=self._cache,
            semantic=semantic,
            leading=self._leading,
            epochs=self._epochs,
            keys=keys,
            telemetry=self._metrics,
        )
        return Ladder(pipeline, capacity=self._capacity, telemetry=self._metrics)


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
