"""Puts the operator together, and runs it in kopf. Nothing else knows kopf.

kopf is the host of the process and the informer of RagDeployments: it hands every
event on and stores nothing in the resource, no annotation and no finalizer. All
decisions are the engine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, NoReturn

import kopf
from aiohttp import web
from kubernetes.aio.client import Configuration

from ragdeploy_operator.api import GROUP, PLURAL, VERSION
from ragdeploy_operator.engine.client import Client, load_configuration
from ragdeploy_operator.engine.engine import Engine
from ragdeploy_operator.engine.lease import Lease, LeaseLost
from ragdeploy_operator.engine.metrics import Metrics
from ragdeploy_operator.settings import OperatorSettings

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 10.0


class _Backoffs:
    """Waits for kopf's own requests, without end; kopf's default ends the process in a minute."""

    def __iter__(self) -> Iterator[float]:
        for failures in itertools.count():
            bound = min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(failures, 10))
            yield random.uniform(bound / 2, bound)  # noqa: S311 - only spread


def kopf_settings() -> kopf.OperatorSettings:
    """Make kopf outlive outages, notice dead watches, and write nothing."""
    settings = kopf.OperatorSettings()
    settings.networking.error_backoffs = _Backoffs()
    settings.networking.request_timeout = 15
    settings.watching.server_timeout = 300
    settings.watching.chunk_size = 500
    settings.watching.inactivity_timeout = 70
    settings.posting.enabled = False
    settings.peering.standalone = True
    # It would watch all definitions, whole, and all namespaces. The engine waits for ours
    # before kopf begins; if ours is deleted, kopf ends the process, and the next one waits.
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = 10
    return settings


def kopf_registry(engine: Engine, configuration: Configuration) -> kopf.OperatorRegistry:
    """Tell kopf what to hand on, and how to log in: as the engine does."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_kwargs: Any) -> kopf.ConnectionInfo:
        authorization: str = await configuration.get_api_key_with_prefix("BearerToken") or ""
        scheme, _, token = authorization.rpartition(" ")
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            scheme=scheme or None,
            token=token or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            proxy_url=configuration.proxy,
        )

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def enqueue(event: kopf.RawEvent, **_kwargs: Any) -> None:
        engine.heard(event["type"], dict(event["object"]))

    return registry


@contextlib.asynccontextmanager
async def serving(app: web.Application, settings: OperatorSettings) -> AsyncIterator[None]:
    """Serve the probes and the metrics."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.http_host, settings.http_port).start()
        yield
    finally:
        await runner.cleanup()


class _Stopped(Exception):
    """The operator was told to stop."""


async def run(settings: OperatorSettings) -> None:
    """Run the operator until it is told to stop.

    Raises:
        ExceptionGroup: a part of it ended. Whatever ends, all ends: a process that holds the
            lease and does not work would be worse.
    """
    metrics = Metrics()
    configuration = await load_configuration()
    async with Client(configuration, on_answer=metrics.answered) as client:
        engine = Engine(client, settings, metrics)
        lease = Lease(
            client,
            namespace=settings.namespace,
            name=settings.lease_name,
            identity=f"{settings.pod_name}_{uuid.uuid4()}",
        )
        try:
            async with serving(engine.app, settings), asyncio.TaskGroup() as tasks:
                stop = asyncio.Event()
                _on_signals(stop)
                tasks.create_task(_raise_when(stop), name="signals")
                await engine.prepare()
                engine.follow(tasks)
                tasks.create_task(_run_kopf(engine, configuration, settings, stop), name="kopf")
                tasks.create_task(_lead(engine, lease, metrics), name="lead")
        except* _Stopped:
            logger.info("stopped")
        finally:
            await lease.release()


async def _lead(engine: Engine, lease: Lease, metrics: Metrics) -> NoReturn:
    """Write whenever it is our turn.

    A replica that loses its lease, as in an outage of the API server, stops writing and waits
    for its next turn. What it knows stays up to date, so it need not start from nothing.
    """
    while True:
        await lease.acquire()
        metrics.is_leading = True
        try:
            async with asyncio.TaskGroup() as writers:
                writers.create_task(lease.keep(), name="lease")
                await engine.work(writers)
        except* LeaseLost as lost:
            logger.warning("%s; not writing any more", lost.exceptions[0])
        finally:
            metrics.is_leading = False


async def _run_kopf(
    engine: Engine, configuration: Configuration, settings: OperatorSettings, stop: asyncio.Event
) -> None:
    """Run kopf until cancelled; that it ends by itself is an error."""
    started = asyncio.Event()

    async def keep_signals() -> None:
        await started.wait()
        # kopf has taken the signals, and would wait 5 s for tasks that are not its own
        _on_signals(stop)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_signals(), name="signals of kopf")
        await kopf.operator(
            registry=kopf_registry(engine, configuration),
            settings=kopf_settings(),
            clusterwide=not settings.watch_namespaces,
            namespaces=settings.watch_namespaces,
            standalone=True,
            # kopf would ask for the user's name, and in a container the user has none
            identity=settings.pod_name,  # type: ignore[arg-type] # its NewType is not exported
            ready_flag=started,
        )
    raise RuntimeError("kopf has ended")


def _on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _raise_when(stop: asyncio.Event) -> NoReturn:
    await stop.wait()
    raise _Stopped
