"""What the operator tells on its own port: whether it works, and how much.

``/healthz`` fails only when nothing moves any more inside the operator: a
reflector that neither hears nor tries anything, or a queue with work in it and no
progress. An API server that is away is not a reason to restart the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ragdeploy_operator.engine.metrics import Metrics
from ragdeploy_operator.engine.reflector import Reflector

_SILENCE = 180.0
"""A watch is given up after 70 s without a bookmark, and tried again within 10 s."""

_STANDSTILL = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the probes look at."""

    stalled: Callable[[], float]
    """Seconds without progress although there is work that is ours to do."""
    reflectors: Callable[[], Sequence[Reflector]]
    """All that run."""
    required: Callable[[], Sequence[Reflector]]
    """Those without which nothing can be decided."""
    deaf: Callable[[], float]
    """Seconds for which kopf has not told of a write of ours to a RagDeployment."""

    def sick(self) -> Iterator[str]:
        """Say what does not move any more."""
        for reflector in self.reflectors():
            if (silence := reflector.silence) > _SILENCE:
                yield f"the watch of {reflector.wanted} has been silent for {silence:.0f} s"
        if (deaf := self.deaf()) > _SILENCE:
            yield f"changes of RagDeployments have not been heard of for {deaf:.0f} s"
        if (stalled := self.stalled()) > _STANDSTILL:
            yield f"no resource has been finished for {stalled:.0f} s"

    def unready(self) -> Iterator[str]:
        """Say what is not known yet."""
        for reflector in self.required():
            if not reflector.synced.is_set():
                why = f": {reflector.trouble}" if reflector.trouble else ""
                yield f"{reflector.wanted} not listed yet{why}"


def application(health: Health, metrics: Metrics) -> web.Application:
    """Make the web application with ``/healthz``, ``/readyz`` and ``/metrics``."""

    async def healthz(_: web.Request) -> web.Response:
        return _answer(list(health.sick()))

    async def readyz(_: web.Request) -> web.Response:
        return _answer(list(health.unready()))

    async def show(_: web.Request) -> web.Response:
        body = generate_latest(metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show)
    return app


def _answer(complaints: list[str]) -> web.Response:
    if complaints:
        return web.Response(status=503, text="\n".join(complaints) + "\n")
    return web.Response(text="ok\n")
