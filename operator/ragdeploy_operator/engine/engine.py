"""All parts of the engine, put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiohttp import web

from ragdeploy_operator.engine import access, kinds
from ragdeploy_operator.engine.apply import Applier
from ragdeploy_operator.engine.backoff import Backoff
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.controller import Controller
from ragdeploy_operator.engine.desired import Desires
from ragdeploy_operator.engine.discovery import OptionalKinds
from ragdeploy_operator.engine.echo import Echo
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.events import Recorder
from ragdeploy_operator.engine.health import Health, application
from ragdeploy_operator.engine.metrics import Metrics
from ragdeploy_operator.engine.mirror import Mirror
from ragdeploy_operator.engine.queue import WorkQueue
from ragdeploy_operator.engine.reconcile import Reconciler
from ragdeploy_operator.engine.references import References, SecretVersions
from ragdeploy_operator.engine.reflector import Reflector
from ragdeploy_operator.engine.rehearsal import Rehearsal
from ragdeploy_operator.engine.report import Reporter
from ragdeploy_operator.engine.verdicts import Verdicts
from ragdeploy_operator.engine.visits import Visits
from ragdeploy_operator.objects import Json, Key, Kind, Selection, key_of
from ragdeploy_operator.settings import OperatorSettings

logger = logging.getLogger(__name__)

_PATIENCE = Backoff(first=0.5, longest=10.0)


class Engine:
    """Brings all RagDeployments that it hears of to what they should be.

    >>> await engine.prepare()
    >>> engine.follow(tasks)          # copies what is there; a standby does so too
    >>> await engine.work(writers)    # writes; only the holder of the lease may
    """

    def __init__(self, client: Client, settings: OperatorSettings, metrics: Metrics) -> None:
        self._client = client
        self._settings = settings
        self._queue: WorkQueue[Key] = WorkQueue()
        self._echo = Echo()
        self._mirror = Mirror(
            client, namespaces=settings.watch_namespaces, on_change=self._queue.add
        )
        self._versions = SecretVersions(on_change=self._queue.add)
        self._optional = OptionalKinds(
            client,
            kinds.OPTIONAL_CHILDREN,
            namespaces=settings.watch_namespaces,
            on_change=self._kinds_changed,
        )
        self._definitions = Reflector(
            client, Selection(kind=kinds.DEFINITION, metadata_only=True), self._optional
        )
        self._usable: frozenset[str] = frozenset()
        self._tasks: asyncio.TaskGroup | None = None
        self._recorder = Recorder(client, instance=settings.pod_name)
        self._visits = Visits(
            self._mirror.answering, on_change=self._queue.add, period=settings.visit_seconds
        )
        self._controller = Controller(
            queue=self._queue,
            reconciler=self._reconciler(metrics),
            metrics=metrics,
            resync=settings.resync_seconds,
        )
        metrics.follow_queue(depth=lambda: len(self._queue), age=lambda: self._queue.age)
        self.app: web.Application = application(self._health(metrics), metrics)
        """Probes and metrics."""

    # ---- in the order in which they are called ----
    async def prepare(self) -> None:
        """Say which permissions are missing, and wait until our own kind is served."""
        await access.review(
            self._client,
            watched=self._settings.watch_namespaces,
            own_namespace=self._settings.namespace,
        )
        failures = 0
        while not await self._serves_our_kind():
            failures += 1
            await asyncio.sleep(_PATIENCE.delay(failures, at_least=0.2))

    def follow(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to copy what is there."""
        self._tasks = tasks
        for kind in (*kinds.CHILDREN, *kinds.WITNESSES):
            self._mirror.follow(kind, tasks)
        secrets = Selection(kind=kinds.SECRET, metadata_only=True)
        self._mirror.follow_into(self._versions, secrets, tasks)
        tasks.create_task(self._optional.run(), name="optional kinds")
        tasks.create_task(self._definitions.run(), name="definitions")

    async def work(self, writers: asyncio.TaskGroup) -> None:
        """Begin to write, once everything that is there is known; ends with its tasks."""
        writers.create_task(self._recorder.run(), name="events")
        writers.create_task(self._visits.run(), name="visits")
        await self._mirror.synced()
        await self._optional.looked.wait()
        logger.info("everything is known, beginning to work")
        for number in range(self._settings.workers):
            writers.create_task(self._controller.work(), name=f"worker {number}")

    def heard(self, what: str | None, obj: Json) -> None:
        """Take in an event of a RagDeployment: ADDED, MODIFIED, DELETED, or None from a list."""
        key, version = key_of(obj), obj["metadata"]["resourceVersion"]
        self._echo.heard(key, version)
        if what == "DELETED":
            self._mirror.resources.drop(key, version=version)
        else:
            self._mirror.resources.put(obj)

    # ---- kinds of other projects ----
    async def _kinds_changed(self, usable: frozenset[Kind]) -> None:
        """Begin or end to copy kinds that came or went, and look at all resources again."""
        names = frozenset(kind.kind for kind in usable)
        for kind in kinds.OPTIONAL_CHILDREN:
            if kind.kind in names - self._usable:
                await self._begin_to_follow(kind)
            elif kind.kind in self._usable - names:
                self._mirror.unfollow(kind)
        self._usable = names
        for key in self._mirror.resources.known(None):
            self._queue.add(key)

    async def _begin_to_follow(self, kind: Kind) -> None:
        self._mirror.follow(kind, self._group())
        try:
            async with asyncio.timeout(_PATIENCE.longest):
                await self._mirror.synced(kind)
        except TimeoutError as error:  # it went again before it could be listed
            self._mirror.unfollow(kind)
            raise ApiError.unreachable(error) from error

    def _group(self) -> asyncio.TaskGroup:
        if self._tasks is None:
            raise RuntimeError("follow() comes first")
        return self._tasks

    # ---- putting it together ----
    def _reconciler(self, metrics: Metrics) -> Reconciler:
        written = {kind.kind: kind for kind in (*kinds.CHILDREN, *kinds.OPTIONAL_CHILDREN)}
        # a refusal is tried again at every second or third resync, whatever the jitter
        verdicts = Verdicts(valid_for=self._settings.resync_seconds)
        stores = self._mirror.stores
        return Reconciler(
            client=self._client,
            mirror=self._mirror,
            desires=Desires(
                mirror=self._mirror,
                references=References(self._client, self._versions),
                images=self._settings.images,
                optional_kinds=lambda: self._usable,
            ),
            applier=Applier(self._client, kinds=written, stores=stores, verdicts=verdicts),
            rehearsal=Rehearsal(self._client, kinds=written, stores=stores, verdicts=verdicts),
            reporter=Reporter(
                client=self._client,
                resources=self._mirror.resources,
                recorder=self._recorder,
                echo=self._echo,
                conditions=metrics.conditions,
            ),
            recorder=self._recorder,
            visits=self._visits,
            optional_kinds=lambda: self._usable,
        )

    def _health(self, metrics: Metrics) -> Health:
        return Health(
            stalled=lambda: self._queue.stalled if metrics.is_leading else 0.0,
            reflectors=lambda: self._reflectors,
            required=lambda: self._mirror.reflectors,
            deaf=lambda: self._echo.deaf(
                in_touch=not any(reflector.trouble for reflector in self._reflectors)
            ),
        )

    @property
    def _reflectors(self) -> Sequence[Reflector]:
        return (*self._mirror.reflectors, self._definitions)

    async def _serves_our_kind(self) -> bool:
        try:
            served = await self._client.serves(kinds.RAG_DEPLOYMENT)
        except ApiError as error:
            logger.warning("the API server does not answer yet: %s", error)
            return False
        if not served:
            logger.warning(
                "waiting for the CustomResourceDefinition %s", kinds.RAG_DEPLOYMENT.resource
            )
        return served
