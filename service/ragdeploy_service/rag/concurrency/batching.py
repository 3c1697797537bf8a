"""A batcher that never makes an idle encoder wait.

Batching nearly doubles the rate of short questions and gives nothing on long
passages. So texts are not held back in the hope of company: what waits is
sent as soon as an encoder is free, and a batch grows only while all encoders
are busy. Questions go before documents, because a person waits for them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ragdeploy_service.rag.errors import EmbedderUnavailable
from ragdeploy_service.rag.ports import Vectors

Encode = Callable[[list[str]], Awaitable[Vectors]]


class Lane(Enum):
    """What a text is embedded for."""

    QUERY = "questions"
    DOCUMENT = "passages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps of one lane.

    ``max_texts`` and ``max_tokens`` bound a batch, tokens counted with
    padding: rows times the longest row. A lane that holds ``max_queued``
    texts takes no more.
    """

    max_texts: int
    max_tokens: int
    max_queued: int


class _Call:
    """One ``submit``: its rows arrive from several batches."""

    def __init__(self, size: int, future: asyncio.Future[Vectors]) -> None:
        self.rows: list[Vectors | None] = [None] * size
        self.missing = size
        self.future = future

    def receive(self, index: int, row: Vectors) -> None:
        self.rows[index] = row
        self.missing -= 1
        if self.missing == 0 and not self.future.done():
            self.future.set_result(np.stack([row for row in self.rows if row is not None]))

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Item:
    call: _Call
    index: int
    text: str
    tokens: int


class Batcher:
    """Runs ``encode`` on batches, at most ``concurrency`` at a time.

    ``cost`` estimates the tokens of a text. While questions keep all encoders
    busy, passages still get a batch every ``max_wait`` seconds.
    """

    def __init__(
        self,
        encode: Encode,
        *,
        concurrency: int,
        queries: Limits,
        documents: Limits,
        cost: Callable[[str], int],
        max_wait: float,
    ) -> None:
        self._encode = encode
        self._free = concurrency
        self._limits = {Lane.QUERY: queries, Lane.DOCUMENT: documents}
        self._lanes: dict[Lane, deque[_Item]] = {lane: deque() for lane in Lane}
        self._cost = cost
        self._max_wait = max_wait
        self._documents_wait_since = 0.0
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def submit(self, texts: Sequence[str], lane: Lane) -> Vectors:
        """Embed n texts, n at least 1: float32 of shape (n, d), in their order.

        Raises:
            EmbedderUnavailable: too many texts wait already, or the batcher is closed.
            Exception: whatever ``encode`` raised on a batch that holds one of the texts.
        """
        if self._closed:
            raise EmbedderUnavailable("The service is shutting down.")
        queue = self._lanes[lane]
        if len(queue) >= self._limits[lane].max_queued:
            self._drop_cancelled(lane)
        if len(queue) >= self._limits[lane].max_queued:
            raise EmbedderUnavailable(
                f"{len(queue)} {lane.value} wait for the embedding model; try again in a moment."
            )
        call = _Call(len(texts), asyncio.get_running_loop().create_future())
        if lane is Lane.DOCUMENT and not queue:
            self._documents_wait_since = time.monotonic()
        items = [_Item(call, i, text, self._cost(text)) for i, text in enumerate(texts)]
        # Rows of like length stand together, so that little of a batch is padding.
        queue.extend(sorted(items, key=lambda item: item.tokens))
        # Not at once: what is submitted in the same turn of the loop shares the batch.
        asyncio.get_running_loop().call_soon(self._pump)
        return await call.future

    async def close(self) -> None:
        """Refuse new texts, fail those that wait, and let running batches end."""
        self._closed = True
        for queue in self._lanes.values():
            for item in queue:
                item.call.fail(EmbedderUnavailable("The service is shutting down."))
            queue.clear()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _pump(self) -> None:
        """Start batches while there are free encoders and waiting texts."""
        while self._free and (lane := self._next_lane()) is not None:
            batch = self._take(lane)
            if not batch:
                continue
            self._free -= 1
            task = asyncio.create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _next_lane(self) -> Lane | None:
        queries, documents = self._lanes[Lane.QUERY], self._lanes[Lane.DOCUMENT]
        if documents:
            waited = time.monotonic() - self._documents_wait_since
            if not queries or waited >= self._max_wait:
                return Lane.DOCUMENT
        return Lane.QUERY if queries else None

    def _take(self, lane: Lane) -> list[_Item]:
        """Remove a batch from a lane; empty when all that waited there was cancelled."""
        queue, limits = self._lanes[lane], self._limits[lane]
        # An equal share for each free encoder: two half batches end sooner than a whole one.
        share = min(limits.max_texts, math.ceil(len(queue) / self._free))
        batch: list[_Item] = []
        longest = 0
        while queue and len(batch) < share:
            item = queue[0]
            if not item.call.future.done():
                longest = max(longest, item.tokens)
                if batch and (len(batch) + 1) * longest > limits.max_tokens:
                    break
                batch.append(item)
            queue.popleft()
        if lane is Lane.DOCUMENT:
            self._documents_wait_since = time.monotonic()
        return batch

    def _drop_cancelled(self, lane: Lane) -> None:
        waiting = [item for item in self._lanes[lane] if not item.call.future.done()]
        self._lanes[lane].clear()
        self._lanes[lane].extend(waiting)

    async def _run(self, batch: list[_Item]) -> None:
        try:
            vectors = await self._encode([item.text for item in batch])
            for item, row in zip(batch, vectors, strict=True):
                item.call.receive(item.index, row)
        except BaseException as error:
            for item in batch:
                item.call.fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._free += 1
            self._pump()
