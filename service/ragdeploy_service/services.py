"""Puts the parts together, once, as the settings say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from ragdeploy_service.adapters.embedding import load_chunker, load_embedder
from ragdeploy_service.adapters.embedding.cpus import available_cpus
from ragdeploy_service.adapters.memory_cache import MemoryCache, NoCache
from ragdeploy_service.adapters.memory_feedback import MemoryFeedback
from ragdeploy_service.adapters.memory_meter import MemoryMeter
from ragdeploy_service.adapters.milvus.store import MilvusStore
from ragdeploy_service.adapters.redis.cache import RedisCache
from ragdeploy_service.adapters.redis.client import connect, namespace
from ragdeploy_service.adapters.redis.feedback import RedisFeedback
from ragdeploy_service.adapters.redis.jobs import RedisJobs
from ragdeploy_service.adapters.redis.meter import RedisMeter
from ragdeploy_service.adapters.reranking import load_reranker
from ragdeploy_service.adapters.sqlite_jobs import SqliteJobs
from ragdeploy_service.assembly import Answering
from ragdeploy_service.documents import FileReader, Limits
from ragdeploy_service.lifecycle import Drain, SizeWatch, StoreMonitor
from ragdeploy_service.live import LiveSettings
from ragdeploy_service.observability.metrics import Metrics
from ragdeploy_service.rag.answering.ladder import Ladder
from ragdeploy_service.rag.concurrency.slots import Slots
from ragdeploy_service.rag.errors import EmbeddingMismatch, TooManyStreams, Unavailable
from ragdeploy_service.rag.indexing.indexer import Indexer
from ragdeploy_service.rag.indexing.library import Library
from ragdeploy_service.rag.jobs.reindexer import Reindexer, unless_reindexing
from ragdeploy_service.rag.jobs.worker import JobWorker, indexing
from ragdeploy_service.rag.models import DEFAULT_TENANT, CollectionId, JobKind
from ragdeploy_service.rag.ports import (
    AnswerCache,
    Embedder,
    FeedbackStore,
    LanguageModel,
    Meter,
    VectorStore,
)
from ragdeploy_service.rag.ports.job_queue import JobQueue
from ragdeploy_service.settings import Role, ServiceSettings

# A question is answered faster without a cache, or a count, than with one that hangs.
_CACHE_SECONDS = 0.25
_CACHE_PATIENCE = 0.5
_FEEDBACK_SECONDS = 1.0
_JOBS_SECONDS = 5.0
_JOBS_PATIENCE = 15.0  # longer than it takes Sentinels to make another Redis the master
_UPLOADS_WAITING = 16

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes work with."""

    live: LiveSettings
    metrics: Metrics
    drain: Drain
    embedder: Embedder
    store: VectorStore
    monitor: StoreMonitor
    size: SizeWatch
    llm: LanguageModel | None
    cache: AnswerCache
    queue: JobQueue
    reindexer: Reindexer
    meter: Meter
    feedback: FeedbackStore
    answering: Answering
    streams: Slots
    library: Library
    files: FileReader

    @property
    def settings(self) -> ServiceSettings:
        """The settings that count at this moment."""
        return self.live.now

    @property
    def pipeline(self) -> Ladder:
        """What answers the next question."""
        return self.answering.ladder


@asynccontextmanager
async def start(live: LiveSettings, *, metrics: Metrics, drain: Drain) -> AsyncIterator[Services]:
    """Start all parts, and at the end stop them: the worker first, then what it rests on.

    A Milvus server may come up later than we do, and a collection of another
    embedding model may be reindexed; everything else must be right from the start.

    Raises:
        ModelUnavailable, ConfigurationError: it cannot work like this.

    """
    settings = live.now
    async with AsyncExitStack() as stack:
        embedder = await load_embedder(settings)
        stack.push_async_callback(embedder.close)
        store = await asyncio.to_thread(
            MilvusStore.from_settings,
            settings,
            dimension=embedder.dimension,
            fingerprint=embedder.fingerprint,
        )
        stack.push_async_callback(store.close)
        monitor = StoreMonitor(store, default_collection(settings))
        with contextlib.suppress(Unavailable, EmbeddingMismatch):  # the monitor goes on trying
            await monitor.look()
        reranker = await load_reranker(settings) if settings.role is not Role.INDEXER else None
        if reranker is not None:
            stack.push_async_callback(reranker.close)
        llm = _llm(settings, metrics) if settings.role is not Role.INDEXER else None
        if llm is not None:
            stack.push_async_callback(llm.close)
        cache, queue = _cache(settings), _queue(settings, metrics)
        stack.push_async_callback(cache.close)
        stack.push_async_callback(queue.close)
        meter = _meter(settings)
        stack.push_async_callback(meter.close)
        feedback = _feedback(settings)
        stack.push_async_callback(feedback.close)
        indexer = Indexer(
            splitter=load_chunker(settings, embedder),
            embedder=embedder,
            store=store,
            telemetry=metrics,
        )
        reindexer = Reindexer(indexer=indexer, store=store, queue=queue)
        worker = JobWorker(
            queue=queue,
            handlers={
                JobKind.INDEX: unless_reindexing(indexing(indexer), queue),
                JobKind.REINDEX: reindexer,
            },
            cache=cache,
            ready=monitor.wait_answering,
            telemetry=metrics,
        )
        answering = Answering(settings, metrics, embedder, store, reranker, llm, cache, queue)
        live.subscribe(answering.reload)
        live.subscribe(_keeping(cache))
        for watcher in (monitor.run(), live.run()):
            stack.callback(asyncio.create_task(watcher).cancel)
        if settings.role is not Role.API:
            worker.start()
        drain.on_begin(worker.stop_taking)
        stack.push_async_callback(_finish, worker, drain)
        yield Services(
            live=live,
            metrics=metrics,
            drain=drain,
            embedder=embedder,
            store=store,
            monitor=monitor,
            size=SizeWatch(store, default_collection(settings)),
            llm=llm,
            cache=cache,
            queue=queue,
            reindexer=reindexer,
            meter=meter,
            feedback=feedback,
            library=Library(store=store, cache=cache),
            files=_files(settings),
            answering=answering,
            streams=Slots(
                settings.max_streams,
                refusal=TooManyStreams(
                    f"{settings.max_streams} answers are being streamed already. Ask again in a "
                    "few seconds, or without `stream`."
                ),
            ),
        )


def _files(settings: ServiceSettings) -> FileReader:
    return FileReader(
        Limits(text_bytes=settings.max_body_bytes),
        seconds=settings.upload_read_seconds,
        at_once=max(1, available_cpus() // 2),
        waiting=_UPLOADS_WAITING,
    )


def default_collection(settings: ServiceSettings) -> CollectionId:
    """What is meant where neither key nor request name a collection."""
    return CollectionId(tenant=DEFAULT_TENANT, name=settings.collection)


async def _finish(worker: JobWorker, drain: Drain) -> None:
    drain.begin()
    await worker.drain(seconds=drain.remaining)


def _llm(settings: ServiceSettings, metrics: Metrics) -> LanguageModel | None:
    if not settings.llm_enabled:
        return None
    # Here, because it takes a third of the time to start, and a laptop often has no use for it.
    from ragdeploy_service.adapters.llm import OpenAIModel

    return OpenAIModel(settings, headers=metrics.trace_headers)


def _cache(settings: ServiceSettings) -> AnswerCache:
    if not settings.cache_enabled:
        return NoCache()
    if settings.redis_url is not None:
        redis = connect(settings, timeout=_CACHE_SECONDS, patience=_CACHE_PATIENCE, connections=64)
        return RedisCache(
            redis,
            namespace=namespace(settings),
            ttl_seconds=settings.cache_ttl_seconds,
            stale_seconds=settings.cache_stale_seconds,
        )
    if settings.milvus_uri is None:
        return MemoryCache(
            ttl_seconds=settings.cache_ttl_seconds, stale_seconds=settings.cache_stale_seconds
        )
    _log.warning(
        "answers are not cached: other services may write to this Milvus, and only a Redis "
        "that all share could tell; set RAG_REDIS_URL"
    )
    return NoCache()


def _keeping(cache: AnswerCache) -> Callable[[ServiceSettings], None]:
    def keep(settings: ServiceSettings) -> None:
        cache.keep_for(
            ttl_seconds=settings.cache_ttl_seconds, stale_seconds=settings.cache_stale_seconds
        )

    return keep


def _queue(settings: ServiceSettings, metrics: Metrics) -> JobQueue:
    if settings.redis_url is None:
        return SqliteJobs(settings.data_dir / "jobs.db", origin=metrics.traceparent)
    redis = connect(settings, timeout=_JOBS_SECONDS, patience=_JOBS_PATIENCE, connections=16)
    return RedisJobs(redis, namespace=namespace(settings), origin=metrics.traceparent)


def _meter(settings: ServiceSettings) -> Meter:
    if settings.redis_url is None:
        return MemoryMeter()
    redis = connect(settings, timeout=_CACHE_SECONDS, patience=_CACHE_PATIENCE, connections=32)
    return RedisMeter(redis, namespace=namespace(settings))


def _feedback(settings: ServiceSettings) -> FeedbackStore:
    if settings.redis_url is None:
        return MemoryFeedback(ttl_seconds=settings.cache_ttl_seconds)
    redis = connect(settings, timeout=_FEEDBACK_SECONDS, connections=8)
    return RedisFeedback(
        redis, namespace=namespace(settings), ttl_seconds=settings.cache_ttl_seconds
    )
