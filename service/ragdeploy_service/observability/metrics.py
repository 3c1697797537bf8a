"""What Prometheus is told. One histogram for all stages, and never a pair of metrics per route."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.models import CacheState, JobKind, JobState, Part, Rating, Stage, Usage
from ragdeploy_service.rag.quota import Policy

if TYPE_CHECKING:  # loaded only where traces are wanted
    from ragdeploy_service.observability.tracing import Tracing

_STAGE_BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
)  # fmt: skip
_REQUEST_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60,
)  # fmt: skip


ROUTES = (
    "/query",
    "/retrieve",
    "/v1/chat/completions",
    "/v1/vector_stores/{vector_store_id}/search",
)
"""Where questions are asked."""

_NOTHING: AbstractContextManager[None] = nullcontext()


class Metrics:
    """Implements `rag.ports.Telemetry`, on a registry of its own app; passes on what is traced.

    ``rag_requests_total`` and ``rag_request_latency_seconds`` are about questions, whatever API
    they come by (`ROUTES`); their names are those of the first version.
    """

    def __init__(self, tracing: Tracing | None = None) -> None:
        self._tracing = tracing
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._requests = Counter(
            "rag_requests",
            "Questions by route and outcome: success, rejected (4xx), error (5xx).",
            ["route", "status"],
            registry=registry,
        )
        self._latency = Histogram(
            "rag_request_latency_seconds",
            "Time to answer a question, to the end of a stream, by route.",
            ["route"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._stages = Histogram(
            "rag_stage_seconds",
            "Time of one stage of a question or an index job.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._lookups = Counter(
            "rag_cache_lookups",
            "Looks into the answer cache by what was found: exact, semantic, stale or none.",
            ["found"],
            registry=registry,
        )
        self._degraded = Counter(
            "rag_degraded",
            "Questions answered without a part that did not answer, by part.",
            ["part"],
            registry=registry,
        )
        self._tokens = Counter(
            "rag_llm_tokens",
            "Tokens of the language model: prompt or completion, by the key that pays for them.",
            ["kind", "key", "tenant", "model"],
            registry=registry,
        )
        self._calls = Counter(
            "rag_llm_calls",
            "Answers that the language model wrote, by the key that pays for them.",
            ["key", "tenant", "model"],
            registry=registry,
        )
        self._limited = Counter(
            "rag_limited",
            "Requests that were refused because a limit of their key was used up.",
            ["policy"],
            registry=registry,
        )
        self._feedback = Counter(
            "rag_feedback",
            "Ratings of answers, up or down; one that replaces another of the same answer counts.",
            ["rating"],
            registry=registry,
        )
        self._jobs = Counter(
            "rag_jobs", "Index jobs by the state they came into.", ["state"], registry=registry
        )
        self._documents = Counter(
            "rag_documents_indexed", "Documents of jobs that succeeded.", registry=registry
        )
        self._size = Gauge(
            "rag_documents",
            "Documents that can be found, in all collections; NaN while nobody knows.",
            registry=registry,
        )
        self._pending = Gauge("rag_jobs_pending", "Index jobs that wait or run.", registry=registry)
        self._reload_failing = Gauge(
            "rag_config_reload_failing",
            "1 while the folder of settings holds some that cannot be used.",
            registry=registry,
        )
        self._reloads = _CountedElsewhere(
            "rag_config_reloads", "How often other settings began to count."
        )
        registry.register(self._reloads)
        for route in ROUTES:
            self._latency.labels(route)
            for status in ("success", "rejected", "error"):
                self._requests.labels(route, status)
        for policy in Policy:
            self._limited.labels(policy)
        for rating in Rating:
            self._feedback.labels(rating)
        for state in JobState:
            if state is not JobState.RUNNING:
                self._jobs.labels(state)

    def follow_settings(self, failing: Callable[[], bool], reloads: Callable[[], int]) -> None:
        """Show whether settings that changed could be used, and how often they did."""
        self._reload_failing.set_function(failing)
        self._reloads.count = reloads

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a question to one of `ROUTES` that was answered with this HTTP status."""
        outcome = "success" if status < 400 else "rejected" if status < 500 else "error"
        self._requests.labels(route, outcome).inc()
        self._latency.labels(route).observe(seconds)

    def stage(self, stage: Stage, seconds: float) -> None:
        self._stages.labels(stage).observe(seconds)

    def span(self, stage: Stage) -> AbstractContextManager[None]:
        return self._tracing.stage(stage) if self._tracing else _NOTHING

    def job_span(
        self, kind: JobKind, *, job_id: str, traceparent: str | None
    ) -> AbstractContextManager[None]:
        if self._tracing is None:
            return _NOTHING
        return self._tracing.job(kind, job_id=job_id, traceparent=traceparent)

    def generated(self, *, prompt: str, answer: str, usage: Usage | None) -> None:
        if self._tracing:
            self._tracing.generated(prompt=prompt, answer=answer, usage=usage)

    def trace_headers(self) -> dict[str, str]:
        """The present span as W3C headers; none where nothing is traced."""
        return self._tracing.headers() if self._tracing else {}

    def traceparent(self) -> str | None:
        """Name the present span; None where nothing is traced."""
        return self.trace_headers().get("traceparent")

    def cache(self, state: CacheState) -> None:
        self._lookups.labels(state).inc()

    def degraded(self, part: Part) -> None:
        self._degraded.labels(part).inc()

    def llm_call(self, caller: Principal, *, model: str, usage: Usage) -> None:
        # As many series as there are keys, which are configured, times one model.
        payer = (caller.key_id, caller.tenant, model)
        self._calls.labels(*payer).inc()
        self._tokens.labels("prompt", *payer).inc(usage.prompt_tokens)
        self._tokens.labels("completion", *payer).inc(usage.completion_tokens)

    def limited(self, policy: Policy) -> None:
        self._limited.labels(policy).inc()

    def feedback(self, rating: Rating) -> None:
        """Count a rating of an answer."""
        self._feedback.labels(rating).inc()

    def job(self, state: JobState, *, documents: int) -> None:
        self._jobs.labels(state).inc()
        if state is JobState.SUCCEEDED:
            self._documents.inc(documents)

    def size(self, documents: int | None) -> None:
        """Say how many documents there are; None if nobody knows."""
        self._size.set(math.nan if documents is None else documents)

    def pending_jobs(self, count: int | None) -> None:
        """Say how many jobs wait or run; None if nobody knows."""
        self._pending.set(math.nan if count is None else count)

    def render(self) -> bytes:
        """Write all metrics in Prometheus's text format 0.0.4."""
        return generate_latest(self.registry)


class _CountedElsewhere(Collector):
    """A counter whose count is asked for; those of the library can only be counted up."""

    def __init__(self, name: str, documentation: str) -> None:
        self._name, self._documentation = name, documentation
        self.count: Callable[[], int] = int

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._documentation, value=self.count())
