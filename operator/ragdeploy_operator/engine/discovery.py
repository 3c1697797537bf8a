"""Kinds of other projects: used where the cluster has them, done without where not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import NoReturn

from ragdeploy_operator.engine.backoff import Backoff
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.objects import Json, Key, Kind, key_of

logger = logging.getLogger(__name__)

VERBS = ("list", "watch", "create", "patch", "delete")
"""What we must be allowed to do with a kind to use it."""

_PERIOD = 600.0


class OptionalKinds:
    """Finds out which kinds the cluster serves and we may use, at the start and later.

    It is the sink of a reflector of CustomResourceDefinitions (their metadata): one
    that comes, changes or goes makes it look again. Without the right to watch
    those, it looks every ten minutes.

    Args:
        client: Whom to ask.
        kinds: Which kinds to look for.
        namespaces: Where we need to use them; everywhere if empty.
        on_change: Awaited with the kinds that are usable, when that changes; an ``ApiError``
            from it means that they are not usable after all.
    """

    def __init__(
        self,
        client: Client,
        kinds: Collection[Kind],
        *,
        namespaces: Collection[str],
        on_change: Callable[[frozenset[Kind]], Awaitable[None]],
    ) -> None:
        self.usable: frozenset[Kind] = frozenset()
        self.looked = asyncio.Event()
        """Set once it is known which kinds there are."""
        self._client = client
        self._kinds = kinds
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._on_change = on_change
        self._definitions: dict[Key, str | None] = {}  # their versions; None for one that went
        self._look_again = asyncio.Event()
        self._backoff = Backoff(first=0.5, longest=30.0)

    async def run(self) -> NoReturn:
        """Keep looking until cancelled."""
        failures = 0
        while True:
            self._look_again.clear()
            try:
                unsettled = await self.look()
                self.looked.set()
            except ApiError as error:
                logger.warning("could not find out which kinds there are: %s", error)
                unsettled = True
            failures = failures + 1 if unsettled else 0
            wait = self._backoff.delay(failures) if unsettled else _PERIOD
            try:
                async with asyncio.timeout(wait):
                    await self._look_again.wait()
            except TimeoutError:
                continue

    async def look(self) -> bool:
        """Look once. Returns whether to look again soon: a definition came or went just now.

        The API server begins and ends to serve a kind a moment after its definition.
        """
        usable = set()
        unsettled = False
        for kind in self._kinds:
            served = await self._client.serves(kind)
            if served and await self._allowed(kind):
                usable.add(kind)
            definition = Key("", kind.resource)
            if definition in self._definitions:
                unsettled |= served == (self._definitions[definition] is None)
        if usable != self.usable:
            await self._on_change(frozenset(usable))
            self.usable = frozenset(usable)
            names = ", ".join(sorted(kind.resource for kind in usable))
            logger.info("optional kinds in use: %s", names or "none")
        return unsettled

    async def _allowed(self, kind: Kind) -> bool:
        for namespace in self._namespaces:
            for verb in VERBS:
                if not await self._client.may(
                    verb, kind.plural, group=kind.group, namespace=namespace
                ):
                    logger.warning(
                        "%s is served, but the operator may not %s it: doing without",
                        kind.resource,
                        verb,
                    )
                    return False
        return True

    # ---- what the reflector of definitions tells ----
    def put(self, obj: Json) -> None:
        """Take in a definition's metadata."""
        where, version = key_of(obj), obj["metadata"]["resourceVersion"]
        if any(kind.resource == where.name for kind in self._kinds):
            if self._definitions.get(where) != version:
                self._look_again.set()
            self._definitions[where] = version

    def drop(self, where: Key, *, version: str) -> None:
        """Forget a definition."""
        if self._definitions.get(where):
            self._definitions[where] = None
            self._look_again.set()

    def known(self, namespace: str | None) -> set[Key]:
        """Where the definitions are."""
        return {where for where, version in self._definitions.items() if version}
