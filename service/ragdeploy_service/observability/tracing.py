"""Traces by OpenTelemetry, sent by OTLP over HTTP; imported only where an endpoint is set.

Spans and attributes are named by the semantic conventions for generative AI
(1.38). What people ask and are told stands in a trace only where
`tracing_capture_content` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TypeAlias

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragdeploy_service.rag.models import JobKind, Stage, Usage
from ragdeploy_service.settings import ServiceSettings

_EXPORT_SECONDS = 5.0
_UNTRACED = ("/health", "/metrics")

_Attributes: TypeAlias = Mapping[str, str | float | int]

_W3C = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans, and sends them from a thread of its own; what cannot be sent is dropped."""

    def __init__(self, settings: ServiceSettings, *, endpoint: str) -> None:
        """Send to the collector whose root is ``endpoint``."""
        resource = {SERVICE_NAME: settings.tracing_service_name, SERVICE_VERSION: _version()}
        self._provider = TracerProvider(
            resource=Resource.create(resource),
            sampler=ParentBased(TraceIdRatioBased(settings.tracing_sample_ratio)),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("ragdeploy", _version())
        self._captures = settings.tracing_capture_content
        self._stages = _described(settings)

    def close(self) -> None:
        """Send what waits, and stop."""
        self._provider.shutdown()

    def headers(self) -> dict[str, str]:
        """The present span as W3C headers, for whoever is asked next; none outside a span."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """A span around one stage of a question or a job."""
        name, kind, attributes = self._stages.get(stage, (f"rag.{stage}", SpanKind.INTERNAL, {}))
        with self._tracer.start_as_current_span(name, kind=kind, attributes=attributes):
            yield

    @contextmanager
    def job(self, kind: JobKind, *, job_id: str, traceparent: str | None) -> Iterator[None]:
        """A span around a job, in the trace of the request that it came with."""
        with self._tracer.start_as_current_span(
            f"job {kind}",
            context=_W3C.extract({"traceparent": traceparent} if traceparent else {}, Context()),
            kind=SpanKind.CONSUMER,
            attributes={"messaging.message.id": job_id, "messaging.operation.type": "process"},
        ):
            yield

    def generated(self, *, prompt: str, answer: str, usage: Usage | None) -> None:
        """A language model has answered, in the present span."""
        span = trace.get_current_span()
        if usage is not None:
            span.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", usage.completion_tokens)
        if self._captures:
            span.set_attribute("gen_ai.input.messages", _message("user", prompt))
            span.set_attribute("gen_ai.output.messages", _message("assistant", answer))

    @contextmanager
    def request(self, scope: Scope) -> Iterator[trace.Span]:
        """A span around a request, in the caller's trace if it has one."""
        method, path = scope["method"], scope["path"]
        attributes = {"http.request.method": method, "url.path": path, "url.scheme": "http"}
        with self._tracer.start_as_current_span(
            method,
            context=_W3C.extract(dict(Headers(scope=scope)), Context()),
            kind=SpanKind.SERVER,
            attributes=attributes,
        ) as span:
            yield span


class TracedRequests:
    """A span for each request but the probes' (pure ASGI)."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_UNTRACED):
            await self._app(scope, receive, send)
            return
        with self._tracing.request(scope) as span:

            async def observed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _describe_response(span, scope, message["status"])
                await send(message)

            trace_id = trace.format_trace_id(span.get_span_context().trace_id)
            with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                await self._app(scope, receive, observed)


def _describe_response(span: trace.Span, scope: Scope, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if (route := getattr(scope.get("route"), "path", None)) is not None:
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def _described(
    settings: ServiceSettings,
) -> Mapping[Stage, tuple[str, SpanKind, _Attributes]]:
    """Names, kinds and attributes of the stages that the conventions know."""
    model, embedder = settings.llm_model, settings.embedding_model
    chat: _Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.request.temperature": settings.llm_temperature,
        "gen_ai.request.max_tokens": settings.llm_max_tokens,
    }
    embeddings: _Attributes = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": embedder,
    }
    retrieval: _Attributes = {"gen_ai.operation.name": "retrieval", "db.system.name": "milvus"}
    return {
        Stage.GENERATE: (f"chat {model}", SpanKind.CLIENT, chat),
        Stage.EMBED: (f"embeddings {embedder}", SpanKind.INTERNAL, embeddings),
        Stage.RETRIEVE: ("retrieval", SpanKind.CLIENT, retrieval),
    }


def _message(role: str, text: str) -> str:
    parts = [{"type": "text", "content": text}]
    return json.dumps([{"role": role, "parts": parts}], ensure_ascii=False)


def _version() -> str:
    return version("ragdeploy")
