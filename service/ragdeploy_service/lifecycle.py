"""Whether the service is ready for requests, and how it comes to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from ragdeploy_service.rag.errors import EmbeddingMismatch, RagError, VectorStoreUnavailable
from ragdeploy_service.rag.models import CollectionId
from ragdeploy_service.rag.ports import VectorStore
from ragdeploy_service.rag.ports.vector_store import IndexSize

# Seconds between two looks at the vector store, while it is there and while it is not.
_CALM, _EAGER = 5.0, 1.0

# Seconds for which a count of the documents holds, and that it may take.
_COUNTED_FOR, _COUNTED_WITHIN = 10.0, 3.0

_log = structlog.get_logger(__name__)


class Drain:
    """The time between the order to stop and the end."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self._callbacks: list[Callable[[], None]] = []

    def on_begin(self, callback: Callable[[], None]) -> None:
        """Call back when the drain begins."""
        self._callbacks.append(callback)

    @property
    def begun(self) -> bool:
        """Whether the service is to stop."""
        return self._until is not None

    def begin(self) -> None:
        """Start the clock; a second call changes nothing."""
        if self._until is None:
            self._until = time.monotonic() + self._seconds
            _log.info("draining", seconds=self._seconds)
            for callback in self._callbacks:
                callback()

    @property
    def remaining(self) -> float:
        """Seconds that are left for running work."""
        return self._seconds if self._until is None else max(0.0, self._until - time.monotonic())


class StoreMonitor:
    """Waits for the vector store, however late it comes up, and notices when it goes and comes.

    Readiness probes read what it saw last, so they cost nothing and never
    wait for a store that hangs.

    A pod that has once reached the store stays ready while the store is away. All pods
    share it: were they all taken out of the Service, connections would be refused where
    answers from before can still be given, and a 503 that says when to come again.
    """

    def __init__(self, store: VectorStore, collection: CollectionId) -> None:
        """Watch a store by the collection that most requests mean; it is made if need be."""
        self._store = store
        self._collection = collection
        self._there = asyncio.Event()
        self._answering = asyncio.Event()
        self._reached = False
        self._reason = "The vector store is not connected yet."

    @property
    def not_ready(self) -> str | None:
        """Why no requests should be sent here; None if they may."""
        return None if self._reached else self._reason

    async def wait_answering(self) -> None:
        """Return when the store answers, though its vectors may be those of another model."""
        await self._answering.wait()

    async def look(self) -> None:
        """See whether the store answers, and whether it can be searched with our model.

        Raises:
            RagError: it cannot be used; the message says why.

        """
        try:
            await self._store.open(self._collection, create=True)
            await self._store.ping()
        except RagError as error:
            if self._there.is_set() or str(error) != self._reason:
                _log.warning("the vector store cannot be used", reason=str(error))
            self._reason = str(error)
            self._there.clear()
            mismatch = isinstance(error, EmbeddingMismatch)
            self._reached = self._reached and not mismatch  # other pods may have the right model
            self._answers(mismatch)
            raise
        self._answers(True)
        if not self._there.is_set():
            _log.info("the vector store is ready")
        self._there.set()
        self._reached = True

    def _answers(self, does: bool) -> None:
        (self._answering.set if does else self._answering.clear)()

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(_CALM if self._there.is_set() else _EAGER)
            try:
                await self.look()
            except RagError:
                continue  # `look` has said why
            except Exception:  # whatever it was, somebody must go on looking
                _log.exception("looking at the vector store failed")
                self._there.clear()


class SizeWatch:
    """Counts at most once in ten seconds, however often it is asked.

    Args:
        store: Where the documents are.
        collection: Whose generation is told.
    """

    def __init__(self, store: VectorStore, collection: CollectionId) -> None:
        self._store = store
        self._collection = collection
        self._counting = asyncio.Lock()
        self._found: IndexSize | VectorStoreUnavailable | None = None
        self._at = 0.0

    async def look(self) -> IndexSize:
        """What was found last, or now if that is too old.

        Raises:
            VectorStoreUnavailable: it cannot be counted, or could not a moment ago.

        """
        async with self._counting:
            clock = asyncio.get_running_loop().time
            if self._found is None or clock() - self._at > _COUNTED_FOR:
                self._found, self._at = await self._count(), clock()
            if isinstance(self._found, VectorStoreUnavailable):
                raise self._found
            return self._found

    async def _count(self) -> IndexSize | VectorStoreUnavailable:
        try:
            async with asyncio.timeout(_COUNTED_WITHIN):
                return await self._store.size(self._collection)
        except VectorStoreUnavailable as error:
            return error
        except TimeoutError:
            return VectorStoreUnavailable(
                f"The documents could not be counted within {_COUNTED_WITHIN:g} s."
            )
