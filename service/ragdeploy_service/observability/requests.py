"""What is done for every request: an id, a line in the log, a place in the metrics (pure ASGI)."""

from __future__ import annotations

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragdeploy_service.observability.metrics import ROUTES, Metrics
from ragdeploy_service.problems import unforeseen
from ragdeploy_service.rag.access import ANONYMOUS, Principal

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Asked for every few seconds by Kubernetes and Prometheus.
_UNLOGGED = frozenset({"/health/live", "/health/ready", "/metrics"})

_ASKED = [(route, re.compile(re.sub(r"{\w+}", "[^/]+", route))) for route in ROUTES]

_log = structlog.get_logger(__name__)


class RequestContext:
    """The outermost layer: nothing gets past it, not even an error that nobody foresaw."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, observed)
            except Exception:
                _log.exception("the service failed on a request")
                if status:  # too late to say so
                    raise
                await unforeseen(scope)(scope, receive, observed)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        if route := _asked_at(path):
            # 499 is nginx's number for a client that left
            self._metrics.request(route, status or 499, seconds)
        if path not in _UNLOGGED:
            milliseconds = round(seconds * 1000, 1)
            _log.info(
                "request",
                method=scope["method"],
                path=path,
                status=status,
                ms=milliseconds,
                **_caller(scope),
            )


def _asked_at(path: str) -> str | None:
    """Find the route by which a question comes; None for what is no question.

    By the path, because who is refused for a missing key gets to no route.
    """
    return next((route for route, pattern in _ASKED if pattern.fullmatch(path)), None)


def _caller(scope: Scope) -> dict[str, str]:
    """Name who asks, if it is known by a key."""
    caller: Principal | None = scope["state"].get("principal")
    if caller is None or caller is ANONYMOUS:
        return {}
    return {"tenant": caller.tenant, "key": caller.key_id}


def _request_id(scope: Scope) -> str:
    """Use the caller's id if it is a plain word, so that it cannot forge lines of the log."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _ID.fullmatch(given) else secrets.token_hex(16)
