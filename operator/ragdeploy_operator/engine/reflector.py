"""Keeps a copy of one kind up to date: a list, then a watch, and all over when it must.

Unlike a plain watch it never loses a deletion: after a new list, whatever is in
the copy and not in the list is dropped. It outlives any outage, and tells how
long it has not been heard of.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import NoReturn, Protocol

from ragdeploy_operator.engine.backoff import Backoff
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.objects import Json, Key, Selection, key_of

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(first=0.5, longest=10.0)


class Sink(Protocol):
    """Where the objects go."""

    def put(self, obj: Json) -> None:
        """Take in an object that is there."""

    def drop(self, where: Key, *, version: str) -> None:
        """Forget an object that was gone at ``version``."""

    def known(self, namespace: str | None) -> set[Key]:
        """Where the objects are that it believes to be there, in one namespace or in all."""


class Reflector:
    """Mirrors some objects of a kind into a sink.

    Args:
        client: Whom to ask.
        wanted: What to mirror.
        sink: Where to.
        backoff: How long to wait after failures.
    """

    def __init__(
        self, client: Client, wanted: Selection, sink: Sink, *, backoff: Backoff = _BACKOFF
    ) -> None:
        self.wanted = wanted
        self.synced = asyncio.Event()
        self.trouble: ApiError | None = None
        """Why it is out of touch with the API server, while it is."""
        self._client = client
        self._sink = sink
        self._backoff = backoff
        self._failures = 0
        self._heard = 0.0
        self._version: str | None = None  # how far it has read; None before the first list

    async def run(self) -> NoReturn:
        """Mirror until cancelled."""
        self._alive()
        while True:
            try:
                if self._version is None:
                    await self._list()
                    self.synced.set()
                await self._watch(self._version or "")
            except ApiError as error:
                if error.is_gone:  # what happened since is lost: look at everything again
                    self._version = None
                await self._rest(error)
            else:
                # the server ends every watch after some minutes; not all at the same time
                await asyncio.sleep(self._backoff.delay(1))

    async def _list(self) -> None:
        listed: set[Key] = set()
        version = ""
        async with aclosing(self._client.pages(self.wanted)) as pages:
            async for objects, version in pages:  # noqa: B007 - every page has the same one
                self._in_touch()
                for obj in objects:
                    listed.add(key_of(obj))
                    self._sink.put(obj)
        # What is known is asked for now, not before the list: the late answer to a write of
        # ours may have brought in what was deleted before the list. What is newer stays.
        for where in self._sink.known(self.wanted.namespace) - listed:
            self._sink.drop(where, version=version)
        self._version = version

    async def _watch(self, version: str) -> None:
        # An open watch is word enough: without it, a second outage within a minute, which is
        # how long a first bookmark takes, would be waited for as if it were still the first.
        watch = self._client.watch(self.wanted, version=version, on_open=self._in_touch)
        async with aclosing(watch) as events:
            async for event in events:
                self._take(event["type"], event["object"])
                self._in_touch()

    def _take(self, what: str, obj: Json) -> None:
        if what == "ERROR":
            raise ApiError.from_status(obj)
        self._version = version = obj["metadata"]["resourceVersion"]
        if what == "DELETED":
            self._sink.drop(key_of(obj), version=version)
        elif what != "BOOKMARK":
            self._sink.put(obj)

    # ---- what others see of it ----
    @property
    def silence(self) -> float:
        """Seconds since it last did anything: an event, a bookmark, or a try that failed."""
        return asyncio.get_running_loop().time() - self._heard

    def _alive(self) -> None:
        self._heard = asyncio.get_running_loop().time()

    def _in_touch(self) -> None:
        self._alive()
        if self.trouble:
            logger.info("watch of %s: in touch with the API server again", self.wanted)
        self.trouble = None
        self._failures = 0

    async def _rest(self, error: ApiError) -> None:
        self._alive()
        # said once, not at every try
        level = logging.DEBUG if self.trouble else logging.WARNING
        logger.log(level, "watch of %s: %s; trying again until it works", self.wanted, error)
        self.trouble = error
        self._failures += 1
        await asyncio.sleep(self._backoff.delay(self._failures, at_least=error.retry_after or 0))
