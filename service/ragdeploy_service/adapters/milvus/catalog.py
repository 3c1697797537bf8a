"""Which collections there are: finding, making and dropping them, with calls that wait.

Reading and writing go through pymilvus's asyncio client. Making a collection
does not: that client's ``create_index`` asks for a timestamp, which Milvus
Lite cannot give, and retries 75 times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ragdeploy_service.adapters.milvus import names as milvus_names
from ragdeploy_service.adapters.milvus.calls import OPEN, Address
from ragdeploy_service.adapters.milvus.filters import FIRST_CHUNKS
from ragdeploy_service.adapters.milvus.library import MilvusClient, MilvusException
from ragdeploy_service.adapters.milvus.schema import Layout, Server, modes, readable
from ragdeploy_service.rag.errors import CollectionNotFound, RebuildElsewhere
from ragdeploy_service.rag.models import CollectionId, SearchMode
from ragdeploy_service.rag.ports.vector_store import IndexSize

_SECONDS = OPEN / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A collection that is ready: its name in Milvus, and what can be done with it."""

    name: str
    server: Server
    modes: frozenset[SearchMode]


class Catalog:
    """The collections that begin with a prefix. Its methods block, so call them in a thread.

    Each raises `MilvusException` if Milvus refuses or does not answer.
    """

    def __init__(self, address: Address, *, prefix: str, layout: Layout) -> None:
        self._address = address
        self._prefix = prefix
        self._layout = layout

    def open(self, collection: CollectionId, *, create: bool) -> Opened:
        """Find a collection or make it, and load it.

        Safe to call from several replicas at once, and again after a crash between two steps:
        whoever sets the alias first has made the collection.

        Raises:
            CollectionNotFound: it is not there, and ``create`` is false.
            EmbeddingMismatch: it is there, with vectors of another model.

        """
        alias = milvus_names.alias(self._prefix, collection)
        with self._connected() as client:
            server = Server.of(client.get_server_version(timeout=_SECONDS))
            found = self._describe(client, alias)
            if found is None:
                if not create:
                    raise _not_there(collection)
                found = self._make(client, alias, milvus_names.version(alias), server)
            self._layout.check(found, collection)
            return _loaded(client, found, server)

    def rebuild(self, collection: CollectionId, *, restart: bool) -> tuple[Opened, Opened]:
        """Find a collection, whatever its vectors, and find or make its next version.

        Raises:
            CollectionNotFound: it is not there.
            RebuildElsewhere: its next version was begun for another model; never on a ``restart``.

        """
        alias = milvus_names.alias(self._prefix, collection)
        following = milvus_names.following(alias)
        with self._connected() as client:
            server = Server.of(client.get_server_version(timeout=_SECONDS))
            if (old := self._describe(client, alias)) is None:
                raise _not_there(collection)
            readable(old, collection)
            new = self._describe(client, following)
            if new is not None and not restart and not self._layout.fits(new):
                raise _elsewhere(collection)
            # The two are one after a crash in the middle of `promote`.
            begun = new is not None and new["collection_name"] != old["collection_name"]
            if new is None or not begun or not self._layout.fits(new):
                # What it led to, if anything, is dropped by `promote`.
                client.drop_alias(following, timeout=_SECONDS)
                new = self._make(client, following, milvus_names.version(alias), server)
            return _loaded(client, old, server), _loaded(client, new, server)

    def promote(self, collection: CollectionId, name: str) -> None:
        """Let a version of a collection take its place, and drop all others.

        Raises:
            RebuildElsewhere: it is not the one that was begun last.

        """
        alias = milvus_names.alias(self._prefix, collection)
        following = milvus_names.following(alias)
        with self._connected() as client:
            begun = self._describe(client, following)
            if begun is None or begun["collection_name"] != name:
                raise _elsewhere(collection)
            client.alter_alias(name, alias, timeout=_SECONDS)
            client.drop_alias(following, timeout=_SECONDS)
            for other in milvus_names.versions(alias, client.list_collections(timeout=_SECONDS)):
                if other != name:
                    client.drop_collection(other, timeout=_SECONDS)

    def names(self, tenant: str) -> list[str]:
        """Names of a tenant's collections, sorted."""
        with self._connected() as client:
            aliases = client.list_aliases(timeout=_SECONDS)["aliases"]
        return milvus_names.collections(self._prefix, tenant, aliases)

    def size(self, collection: CollectionId) -> IndexSize:
        """Count the documents of all collections; see `rag.ports.VectorStore`."""
        wanted = milvus_names.alias(self._prefix, collection)
        documents, generation = 0, None
        with self._connected() as client:
            for alias in client.list_aliases(timeout=_SECONDS)["aliases"]:
                if not milvus_names.is_collection(self._prefix, alias):
                    continue
                name = client.describe_alias(alias, timeout=_SECONDS)["collection_name"]
                client.load_collection(name, timeout=_SECONDS)
                [counted] = client.query(
                    name, filter=FIRST_CHUNKS, output_fields=["count(*)"], timeout=_SECONDS
                )
                documents += int(counted["count(*)"])
                if alias == wanted:
                    generation = milvus_names.generation(alias, name)
        return IndexSize(documents=documents, generation=generation)

    def drop(self, collection: CollectionId) -> bool:
        """Delete a collection, and what crashes have left of it; False if it was not there."""
        alias = milvus_names.alias(self._prefix, collection)
        with self._connected() as client:
            there = client.has_collection(alias, timeout=_SECONDS)
            # The alias first, for Milvus drops nothing that has one.
            client.drop_alias(alias, timeout=_SECONDS)
            client.drop_alias(milvus_names.following(alias), timeout=_SECONDS)
            for name in milvus_names.versions(alias, client.list_collections(timeout=_SECONDS)):
                client.drop_collection(name, timeout=_SECONDS)
        return bool(there)

    def ping(self) -> None:
        """Return if the server answers."""
        with self._connected() as client:
            client.get_server_version(timeout=_SECONDS)

    def _make(self, client: MilvusClient, alias: str, name: str, server: Server) -> dict[str, Any]:
        """Make a collection ``name`` that the alias leads to, unless another is faster."""
        self._layout.create(client, name, server, timeout=_SECONDS)
        try:
            client.create_alias(name, alias, timeout=_SECONDS)
        except MilvusException:
            if (found := self._describe(client, alias)) is not None:  # another was faster
                with contextlib.suppress(MilvusException):  # it is empty, and `drop` finds it
                    client.drop_collection(name, timeout=_SECONDS)
                return found
            # The alias is left of a collection that was dropped without it.
            client.alter_alias(name, alias, timeout=_SECONDS)
        return dict(client.describe_collection(name, timeout=_SECONDS))

    def _describe(self, client: MilvusClient, alias: str) -> dict[str, Any] | None:
        # Asked for first, for pymilvus logs a stack when it describes what is not there.
        if not client.has_collection(alias, timeout=_SECONDS):
            return None
        name = client.describe_alias(alias, timeout=_SECONDS)["collection_name"]
        return dict(client.describe_collection(name, timeout=_SECONDS))

    @contextmanager
    def _connected(self) -> Iterator[MilvusClient]:
        client = self._address.blocking()
        try:
            yield client
        finally:
            client.close()


def _loaded(client: MilvusClient, found: dict[str, Any], server: Server) -> Opened:
    name: str = found["collection_name"]
    client.load_collection(name, timeout=_SECONDS)
    return Opened(name=name, server=server, modes=modes(found))


def _not_there(collection: CollectionId) -> CollectionNotFound:
    return CollectionNotFound(f"There is no collection {collection.name!r}.")


def _elsewhere(collection: CollectionId) -> RebuildElsewhere:
    return RebuildElsewhere(
        f"The collection {collection.name!r} is reindexed by services with another model than ours."
    )
