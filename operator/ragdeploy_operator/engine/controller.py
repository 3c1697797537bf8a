"""The workers: they take keys from the queue, and decide when a key comes back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from typing import NoReturn

from ragdeploy_operator.engine.backoff import Backoff
from ragdeploy_operator.engine.metrics import Metrics
from ragdeploy_operator.engine.queue import WorkQueue
from ragdeploy_operator.engine.reconcile import Reconciler
from ragdeploy_operator.errors import NotOwned, ReconcileError, Transient
from ragdeploy_operator.objects import Key

logger = logging.getLogger(__name__)

_DEADLINE = 120.0
"""Longest reconcile, in seconds; every request in it has a shorter deadline of its own."""

_SLOWLY = 60.0

# An outage ends for all at once, and all should be done half a minute later.
# What is refused to one resource alone may take its time.
_OUTAGE = Backoff(first=0.2, longest=20.0)
_REFUSAL = Backoff(first=0.5, longest=300.0)


class Controller:
    """Works off the queue.

    Args:
        queue: Resources that need a look.
        reconciler: What looks.
        metrics: Where it counts.
        resync: Seconds after which a resource is looked at again although nothing happened.
    """

    def __init__(
        self,
        *,
        queue: WorkQueue[Key],
        reconciler: Reconciler,
        metrics: Metrics,
        resync: float,
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._metrics = metrics
        self._resync = resync
        self._failures: defaultdict[Key, int] = defaultdict(int)

    async def work(self) -> NoReturn:
        """Work until cancelled; several can do so at the same time."""
        while True:
            key = await self._queue.get()
            try:
                with self._metrics.duration.time():
                    await self._look_at(key)
            finally:
                self._queue.done(key)

    async def _look_at(self, key: Key) -> None:
        try:
            async with asyncio.timeout(_DEADLINE):
                soon = await self._reconciler.reconcile(key)
        except ReconcileError as error:
            self._count("error", error.reason)
            logger.info("%s: %s: %s", key, error.reason, error.message)
            self._queue.add_after(key, self._delay(key, error))
        except TimeoutError:
            self._count("error", "Timeout")
            logger.warning("%s: not done within %g s, trying again", key, _DEADLINE)
            self._queue.add_after(key, self._failed(key, _REFUSAL))
        except Exception:
            # a bug, for this one resource: the others must not suffer from it
            self._count("error", "Bug")
            logger.exception("%s: cannot be handled", key)
            self._queue.add_after(key, self._failed(key, _REFUSAL))
        else:
            self._count("success")
            self._failures.pop(key, None)
            if self._reconciler.knows(key):
                later = self._resync * random.uniform(0.9, 1.1)  # noqa: S311 - only spread
                self._queue.add_after(key, later if soon is None else soon)
            else:
                self._queue.cancel(key)

    def _delay(self, key: Key, error: ReconcileError) -> float:
        """Seconds until the next try after an error; what it waits for may come sooner."""
        if isinstance(error, Transient):
            is_outage = error.reason.startswith("Api")
            return self._failed(key, _OUTAGE if is_outage else _REFUSAL, error.retry_after or 0.0)
        self._failures.pop(key, None)
        return _SLOWLY if isinstance(error, NotOwned) else self._resync

    def _failed(self, key: Key, backoff: Backoff, at_least: float = 0.0) -> float:
        self._failures[key] += 1
        return backoff.delay(self._failures[key], at_least=at_least)

    def _count(self, result: str, reason: str | None = None) -> None:
        self._metrics.reconciles.labels(result).inc()
        if reason:
            self._metrics.errors.labels(reason).inc()
