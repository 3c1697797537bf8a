"""Writes the status of a resource, and tells the news of it: only when there are some."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ragdeploy_operator import status
from ragdeploy_operator.api import API_VERSION, KIND
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.echo import Echo
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.events import Recorder
from ragdeploy_operator.engine.faults import explain
from ragdeploy_operator.engine.kinds import RAG_DEPLOYMENT
from ragdeploy_operator.engine.metrics import Conditions
from ragdeploy_operator.engine.store import Store
from ragdeploy_operator.errors import Invalid
from ragdeploy_operator.objects import Json, Key, Ref
from ragdeploy_operator.status import Facts, Finding, News

logger = logging.getLogger(__name__)

_PAUSE = 1.0
"""Seconds between two writes of one resource's status: while its pods start, much changes."""


class ResourceGone(Exception):
    """The resource was deleted, and we had not heard of it."""


class Reporter:
    """Tells how resources are: in their status, by Events, in the metrics.

    Args:
        client: Whom to write to.
        resources: The resources as they are known; takes in what was written.
        recorder: Writes Events.
        echo: Waits for what was written to come back.
        conditions: Counts the resources by condition.
    """

    def __init__(
        self,
        *,
        client: Client,
        resources: Store,
        recorder: Recorder,
        echo: Echo,
        conditions: Conditions,
    ) -> None:
        self._client = client
        self._resources = resources
        self._recorder = recorder
        self._echo = echo
        self._conditions = conditions
        self._written_at: dict[Key, float] = {}

    async def report(self, facts: Facts) -> float | None:
        """Write the status if it is not that already.

        Returns:
            Seconds after which to try again, because the last write was too recent.

        Raises:
            ResourceGone: there is nothing to write it to any more.
            Transient: it could not be written.
        """
        resource = facts.resource
        key = Key(resource.namespace, resource.name)
        previous = (self._resources.get(key) or {}).get("status", {})
        found = status.find(facts)
        self._conditions.set(key, {finding.type: finding.status for finding in found})
        wanted = status.render(facts, found, previous=previous, now=datetime.now(UTC))
        if status.same(wanted, previous):
            return None
        if (wait := self._too_soon(key)) is not None:
            return wait
        await self._write(key, resource.metadata.uid, wanted)
        for finding in status.news(found, previous=previous):
            self._tell(facts, finding)
        return None

    async def refuse(self, key: Key, body: Json, error: Invalid) -> None:
        """Say that a stored resource cannot be read, and leave the rest of its status."""
        wanted = status.refused(body, error, now=datetime.now(UTC))
        self._conditions.set(key, {c["type"]: c["status"] for c in wanted["conditions"]})
        if not status.same(wanted, body["status"]):
            await self._write(key, body["metadata"]["uid"], wanted)

    async def hold(self, key: Key, body: Json) -> None:
        """Say that a resource is paused, and leave the rest of its status."""
        wanted = status.held(body, now=datetime.now(UTC))
        if not status.same(wanted, body["status"]):
            await self._write(key, body["metadata"]["uid"], wanted)

    def forget(self, key: Key) -> None:
        """Drop what is kept about a resource that is gone."""
        self._written_at.pop(key, None)
        self._conditions.forget(key)
        self._echo.forget(key)

    def _too_soon(self, key: Key) -> float | None:
        since = self._now() - self._written_at.get(key, float("-inf"))
        return _PAUSE - since if since < _PAUSE else None

    async def _write(self, key: Key, uid: str, wanted: Mapping[str, Any]) -> None:
        body: Json = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"namespace": key.namespace, "name": key.name, "uid": uid},
            "status": wanted,
        }
        try:
            answer = await self._client.apply(
                RAG_DEPLOYMENT, body, force=True, subresource="status"
            )
        except ApiError as error:
            if error.is_absent(key.name) or "uid mismatch" in error.message:
                raise ResourceGone from error
            raise explain(error, Ref(KIND, key.name), doing="write the status of") from error
        self._written_at[key] = self._now()
        self._echo.expect(key, answer["metadata"]["resourceVersion"])
        self._resources.put_status(answer)

    def _tell(self, facts: Facts, finding: Finding) -> None:
        logger.info(
            "%s/%s: %s is %s (%s): %s",
            facts.resource.namespace,
            facts.resource.name,
            finding.type,
            finding.status,
            finding.reason,
            finding.message,
        )
        self._recorder.tell(
            facts.resource,
            "Normal" if finding.news is News.GOOD else "Warning",
            finding.reason,
            finding.message,
            action="Reconcile",
        )

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
