"""Asks each application that answers how much it has indexed, and whether it can tell.

Nothing else depends on it. From where the Services cannot be reached, as on a laptop beside the
cluster, the two fields of the status stay as they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NoReturn

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ragdeploy_operator.objects import Key
from ragdeploy_operator.status.facts import Index

logger = logging.getLogger(__name__)

PATH = "/health/index"

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_AT_ONCE = 16
_LONGEST = 4096
_UNAVAILABLE = 503
# One alone may be a moment's trouble of the pod that was met.
_REFUSALS_THAT_COUNT = 2


class _Answer(BaseModel):
    """What the service says; see its OpenAPI document."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    documents: int = Field(ge=0)
    generation: str | None = Field(None, max_length=64)


class _Problem(BaseModel):
    """RFC 9457 problem details of a service that does not reach its vector store."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    detail: str = Field(max_length=300)


class Visits:
    """Goes round all applications, again and again.

    Args:
        addresses: The applications that answer now, and the URL of each one's API.
        on_change: Told which application has indexed something.
        period: Seconds for one round, over which the requests are spread; none are made if 0.
    """

    def __init__(
        self,
        addresses: Callable[[], Mapping[Key, str]],
        *,
        on_change: Callable[[Key], None],
        period: float,
    ) -> None:
        self._addresses = addresses
        self._on_change = on_change
        self._period = period
        self._found: dict[Key, Index] = {}
        self._refusals: Counter[Key] = Counter()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def of(self, key: Key) -> Index | None:
        """What was found last; None if nothing was."""
        return self._found.get(key)

    def forget(self, key: Key) -> None:
        """Drop what is known of a resource that is gone."""
        self._found.pop(key, None)
        self._refusals.pop(key, None)

    async def run(self) -> NoReturn:
        """Go round until cancelled."""
        if not self._period:
            await asyncio.Event().wait()
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                addresses = self._addresses()
                async with asyncio.TaskGroup() as round_:
                    for key, url in addresses.items():
                        round_.create_task(self._visit(session, key, url))
                        await asyncio.sleep(self._period / len(addresses))
                if not addresses:
                    await asyncio.sleep(self._period)

    async def _visit(self, session: aiohttp.ClientSession, key: Key, url: str) -> None:
        async with self._slots:
            try:
                async with session.get(f"{url}{PATH}", allow_redirects=False) as response:
                    if response.status != _UNAVAILABLE:
                        response.raise_for_status()
                    body = await response.content.read(_LONGEST)
                found = self._told(key, body, refused=response.status == _UNAVAILABLE)
            except (aiohttp.ClientError, TimeoutError, OSError, ValidationError) as error:
                # its own alerts tell of an API that does not answer
                logger.debug("%s: cannot be asked what it has indexed: %r", key, error)
                return
        if found != self._found.get(key, Index()):
            self._found[key] = found
            self._on_change(key)

    def _told(self, key: Key, body: bytes, *, refused: bool) -> Index:
        before = self._found.get(key, Index())
        if not refused:
            told = _Answer.model_validate_json(body)
            self._refusals.pop(key, None)
            return Index(documents=told.documents, generation=told.generation)
        problem = _Problem.model_validate_json(body)
        self._refusals[key] += 1
        if self._refusals[key] < _REFUSALS_THAT_COUNT:
            return before
        return replace(before, trouble=problem.detail)
