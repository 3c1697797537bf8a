"""The web application: its layers, its routes, and what lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypedDict

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragdeploy_service import problems
from ragdeploy_service.access.authentication import Authentication, with_keys
from ragdeploy_service.access.key_ring import load_keys
from ragdeploy_service.body_limit import BodyLimit
from ragdeploy_service.lifecycle import Drain
from ragdeploy_service.live import LiveSettings
from ragdeploy_service.observability import logging
from ragdeploy_service.observability.metrics import Metrics
from ragdeploy_service.observability.requests import RequestContext
from ragdeploy_service.rag.errors import RagError
from ragdeploy_service.routes import (
    collections,
    documents,
    feedback,
    files,
    health,
    index,
    jobs,
    metrics,
    openai,
    playground,
    query,
    reindex,
)
from ragdeploy_service.server import LastAnswers
from ragdeploy_service.services import Services, start
from ragdeploy_service.settings import Role, ServiceSettings

if TYPE_CHECKING:  # loaded only where traces are wanted
    from ragdeploy_service.observability.tracing import Tracing

_DESCRIPTION = """\
Answers questions from your own documents. Errors are problem details (RFC 9457)
that say what to do; every response has a header X-Request-ID that stands in the log."""


class _State(TypedDict):
    services: Services


def create_app(settings: ServiceSettings) -> FastAPI:
    """Make the application; its parts start with its lifespan.

    ``app.state.drain`` begins the end: the readiness probe fails, and the
    worker takes no more jobs.

    Raises:
        ConfigurationError: the settings would let strangers in.

    """
    logging.configure(settings)
    live = LiveSettings(settings)
    keys = load_keys(live.now) if settings.role is not Role.INDEXER else None
    if keys is not None:
        live.subscribe(keys.reload)
    tracing = _tracing(settings)
    measures = Metrics(tracing)
    measures.follow_settings(lambda: live.failing, lambda: live.reloads)
    drain = Drain(seconds=settings.drain_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[_State]:
        async with start(live, metrics=measures, drain=drain) as services:
            yield {"services": services}
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = _App(
        title="ragdeploy",
        version=version("ragdeploy"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        # Outermost first. All are pure ASGI: each BaseHTTPMiddleware would cost 200 microseconds.
        middleware=[
            Middleware(_PlainStartupErrors),
            Middleware(LastAnswers, drain=drain),
            Middleware(RequestContext, metrics=measures),
            *_traced(tracing),
            Middleware(Authentication, keys=keys),
            Middleware(BodyLimit, most_bytes=settings.max_body_bytes),
        ],
    )
    app.state.drain = drain
    problems.install(app)
    for part in _parts(settings.role):
        app.include_router(part.router)
    return app


def _parts(role: Role) -> tuple[ModuleType, ...]:
    operations = (health, metrics)
    if role is Role.INDEXER:
        return operations
    return (
        query,
        feedback,
        openai,
        index,
        files,
        jobs,
        collections,
        documents,
        reindex,
        playground,
        *operations,
    )


def _tracing(settings: ServiceSettings) -> Tracing | None:
    if settings.tracing_endpoint is None:
        return None
    # Here, because it costs a fifth of a second, and few want it.
    from ragdeploy_service.observability.tracing import Tracing

    return Tracing(settings, endpoint=settings.tracing_endpoint)


def _traced(tracing: Tracing | None) -> list[Middleware]:
    if tracing is None:
        return []
    from ragdeploy_service.observability.tracing import TracedRequests

    return [Middleware(TracedRequests, tracing=tracing)]


class _App(FastAPI):
    """Describes keys and problems too, which are not FastAPI's business but the layers'."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = problems.with_problems(with_keys(super().openapi()))
        return self.openapi_schema


class _PlainStartupErrors:
    """Tells why the start failed in a sentence, where the reason is one that we know."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failure: Message | None = None

        async def held(message: Message) -> None:
            nonlocal failure
            if message["type"] == "lifespan.startup.failed":
                failure = message  # until we know the error
            else:
                await send(message)

        try:
            await self._app(scope, receive, held)
        except RagError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        except BaseException:
            if failure is not None:
                await send(failure)
            raise
