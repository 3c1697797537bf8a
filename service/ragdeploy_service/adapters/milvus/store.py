"""The vector store on Milvus: a server, or Milvus Lite in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from ragdeploy_service.adapters.milvus.calls import (
    OPEN,
    READ,
    Address,
    CollectionGone,
    within,
)
from ragdeploy_service.adapters.milvus.catalog import Catalog, Opened
from ragdeploy_service.adapters.milvus.collection import MilvusCollection
from ragdeploy_service.adapters.milvus.library import AsyncMilvusClient
from ragdeploy_service.adapters.milvus.lite import LiteServer
from ragdeploy_service.adapters.milvus.schema import Layout
from ragdeploy_service.rag.models import CollectionId
from ragdeploy_service.rag.ports.vector_store import IndexSize
from ragdeploy_service.settings import ServiceSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MilvusRebuild:
    """Implements `rag.ports.Rebuild`."""

    old: MilvusCollection
    new: MilvusCollection
    promote: Callable[[], Coroutine[Any, Any, None]]


class MilvusStore:
    """Implements `rag.ports.VectorStore`."""

    def __init__(
        self, address: Address, *, prefix: str, layout: Layout, lite: LiteServer | None
    ) -> None:
        self._address = address
        self._catalog = Catalog(address, prefix=prefix, layout=layout)
        self._lite = lite
        self._client: AsyncMilvusClient | None = None
        self._open: dict[CollectionId, MilvusCollection] = {}
        self._opening: WeakValueDictionary[CollectionId, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    def from_settings(
        cls, settings: ServiceSettings, *, dimension: int, fingerprint: str
    ) -> MilvusStore:
        """Make the store that the settings name; starts Milvus Lite if they name none.

        All vectors in it have this ``dimension`` and come from the model of this ``fingerprint``.

        Raises:
            ConfigurationError: Milvus Lite cannot be started.

        """
        layout = Layout(dimension=dimension, fingerprint=fingerprint)
        token = settings.milvus_token.get_secret_value() if settings.milvus_token else ""
        if settings.milvus_uri is not None:
            address = Address(
                uri=settings.milvus_uri, token=token, database=settings.milvus_database
            )
            return cls(address, prefix=settings.milvus_prefix, layout=layout, lite=None)
        lite = LiteServer(settings.data_dir / "milvus.db")
        address = Address(uri=lite.uri, token="", database="default")
        return cls(address, prefix=settings.milvus_prefix, layout=layout, lite=lite)

    async def open(self, collection: CollectionId, *, create: bool) -> MilvusCollection:
        if (known := self._known(collection)) is not None:
            return known
        async with self._lock(collection):
            return self._known(collection) or await self._open_now(collection, create=create)

    def _lock(self, collection: CollectionId) -> asyncio.Lock:
        return self._opening.setdefault(collection, asyncio.Lock())

    def _known(self, collection: CollectionId) -> MilvusCollection | None:
        known = self._open.get(collection)
        return known if known is not None and not known.gone else None

    async def _open_now(self, collection: CollectionId, *, create: bool) -> MilvusCollection:
        opened = await self._in_thread(
            "open", OPEN, lambda: self._catalog.open(collection, create=create)
        )
        again = partial(self.open, collection, create=False)
        self._open[collection] = known = await self._ready(opened, again=again)
        return known

    async def _ready(
        self,
        opened: Opened,
        *,
        again: Callable[[], Coroutine[Any, Any, MilvusCollection]] | None,
    ) -> MilvusCollection:
        # Never replaced: closing a client breaks off the calls of others that still use it.
        self._client = self._client or self._address.asynchronous()
        ready = MilvusCollection(self._client, opened, again=again)
        if opened.server.lite:  # what a killed process left in the log of writes
            await ready.flush()
        return ready

    async def rebuild(self, collection: CollectionId, *, restart: bool) -> MilvusRebuild:
        old, new = await self._in_thread(
            "rebuild", OPEN, lambda: self._catalog.rebuild(collection, restart=restart)
        )

        async def promote() -> None:
            # Other replicas notice when the old version is gone, and open the new one.
            async with self._lock(collection):
                await self._in_thread(
                    "promote", OPEN, lambda: self._catalog.promote(collection, new.name)
                )
                self._open.pop(collection, None)

        return MilvusRebuild(
            old=await self._ready(old, again=None),
            new=await self._ready(new, again=None),
            promote=promote,
        )

    async def size(self, collection: CollectionId) -> IndexSize:
        return await self._in_thread("size", OPEN, lambda: self._catalog.size(collection))

    async def names(self, tenant: str) -> list[str]:
        return await self._in_thread("list", READ, lambda: self._catalog.names(tenant))

    async def drop(self, collection: CollectionId) -> bool:
        async with self._lock(collection):
            dropped = await self._in_thread("drop", OPEN, lambda: self._catalog.drop(collection))
            self._open.pop(collection, None)
        return dropped

    async def ping(self) -> None:
        for known in list(self._open.values()):
            with contextlib.suppress(CollectionGone):  # that one is made or loaded when next used
                await known.ping()
                return
        await self._in_thread("ping", READ, self._catalog.ping)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._lite:
            await asyncio.to_thread(self._lite.close)

    async def _in_thread(self, name: str, seconds: float, call: Callable[[], T]) -> T:
        return await within(seconds, name, lambda: asyncio.to_thread(call))
