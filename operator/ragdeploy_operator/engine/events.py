"""Events: what happened to a resource, in ``kubectl describe``.

The same thing said again is one Event with a count, also across a restart of
the operator: its name is a digest of what it says. Repetitions are written at
most once a minute. An Event that cannot be written is logged and let go; it
never holds up the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, NoReturn

from ragdeploy_operator.api import API_VERSION, KIND, RagDeployment
from ragdeploy_operator.build.names import MANAGER
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.kinds import EVENT
from ragdeploy_operator.objects import Json

logger = logging.getLogger(__name__)

Type = Literal["Normal", "Warning"]

_REPEAT_SECONDS = 60.0
_REMEMBERED = 4096
_WAITING = 1000
_NOTE_LENGTH = 1024  # the API's limit


@dataclass(slots=True)
class _Said:
    """An Event that exists: how often it happened, and how often that was written."""

    count: int
    written_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saying:
    """Something to be told of a resource."""

    resource: RagDeployment
    type: Type
    reason: str
    action: str
    note: str

    @property
    def name(self) -> str:
        """Name of its Event: the same for the same words about the same resource."""
        words = "/".join((self.resource.metadata.uid, self.type, self.reason, self.note))
        return f"{self.resource.name}.{sha256(words.encode()).hexdigest()[:16]}"


class Recorder:
    """Writes Events in the background, in the order in which they happened.

    Args:
        client: Whom to write to.
        instance: Which replica of the operator this is.
    """

    def __init__(self, client: Client, *, instance: str) -> None:
        self._client = client
        self._instance = instance
        self._queue: asyncio.Queue[_Saying] = asyncio.Queue(_WAITING)
        self._said: OrderedDict[tuple[str, str], _Said] = OrderedDict()

    def tell(
        self, resource: RagDeployment, kind: Type, reason: str, note: str, *, action: str
    ) -> None:
        """Tell of something that happened; returns at once.

        Args:
            resource: What it happened to.
            kind: Whether it is Normal or a Warning.
            reason: Why, as one CamelCase word.
            note: The sentence, the same as in the status.
            action: What the operator was doing, as one CamelCase word.
        """
        said = _Saying(
            resource=resource, type=kind, reason=reason, action=action, note=note[:_NOTE_LENGTH]
        )
        try:
            self._queue.put_nowait(said)
        except asyncio.QueueFull:
            logger.warning("too many events at once, not writing: %s %s", reason, note)

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        while True:
            saying = await self._queue.get()
            try:
                await self._write(saying)
            except ApiError as error:
                logger.warning("event %s could not be written: %s", saying.reason, error)

    async def _write(self, saying: _Saying) -> None:
        where = (saying.resource.namespace, saying.name)
        said = self._said.get(where)
        if said is None:
            await self._first(saying)
            return
        said.count += 1
        if self._now() - said.written_at >= _REPEAT_SECONDS:
            await self._again(saying, said)

    async def _first(self, saying: _Saying) -> None:
        try:
            await self._client.create(EVENT, self._event(saying))
        except ApiError as error:
            if error.status != 409:
                raise
            # said before the operator was restarted: go on counting there
            known = await self._series(saying, {})
            count = (known.get("series") or {}).get("count", 1) + 1
            said = self._remember(saying, count)
            await self._again(saying, said)
        else:
            self._remember(saying, 1)

    async def _again(self, saying: _Saying, said: _Said) -> None:
        said.written_at = self._now()
        try:
            await self._series(
                saying, {"series": {"count": said.count, "lastObservedTime": _timestamp()}}
            )
        except ApiError as error:
            if error.status != 404:  # the API server forgets Events after an hour
                raise
            await self._client.create(EVENT, self._event(saying))
            said.count = 1

    async def _series(self, saying: _Saying, change: Json) -> Json:
        return await self._client.merge(
            EVENT, change, namespace=saying.resource.namespace, name=saying.name
        )

    def _remember(self, saying: _Saying, count: int) -> _Said:
        said = _Said(count=count, written_at=self._now())
        self._said[saying.resource.namespace, saying.name] = said
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return said

    def _event(self, saying: _Saying) -> Json:
        metadata = saying.resource.metadata
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"namespace": metadata.namespace, "name": saying.name},
            "eventTime": _timestamp(),
            "type": saying.type,
            "reason": saying.reason,
            "action": saying.action,
            "note": saying.note,
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": metadata.namespace,
                "name": metadata.name,
                "uid": metadata.uid,
            },
            "reportingController": MANAGER,
            "reportingInstance": self._instance,
        }

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _timestamp() -> str:
    """Now, as a MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
