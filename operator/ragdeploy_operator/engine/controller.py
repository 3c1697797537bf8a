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
from ragdeploy_operator.engine.reconcile import Outcome, Reconciler
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
            except asyncio.CancelledError:
                self._queue.add(key)  # half done: for whoever writes next, perhaps ourselves
                raise
            finally:
                self._queue.done(key)

    async def _look_at(self, key: Key) -> None:
        try:
            async with asyncio.timeout(_DEADLINE):
                outcome = await self._reconciler.reconcile(key)
        except ReconcileError as error:
            outcome = Outcome(fault=error)
        except TimeoutError:
            outcome = Outcome(fault=Transient(f"Not done within {_DEADLINE:g} s.", reason="Slow"))
        except Exception as error:
            # a bug, for this one resource: the others must not suffer from it
            logger.exception("%s: cannot be handled", key)
            outcome = Outcome(fault=Transient(f"{type(error).__name__}", reason="Bug"))
        self._count(outcome)
        if outcome.gone:
            self._failures.pop(key, None)
            self._queue.cancel(key)
        else:
            self._queue.add_after(key, self._wait(key, outcome))

    def _wait(self, key: Key, outcome: Outcome) -> float:
        """Seconds until the next look, if no event comes before."""
        waits = [self._resync * random.uniform(0.9, 1.1)]  # noqa: S311 - only spread
        if outcome.soon is not None:
            waits.append(outcome.soon)
        fault = outcome.fault
        if isinstance(fault, Transient):
            is_outage = fault.reason.startswith("Api")
            backoff = _OUTAGE if is_outage else _REFUSAL
            waits.append(self._failed(key, backoff, fault.retry_after or 0.0))
        else:
            self._failures.pop(key, None)
        if isinstance(fault, NotOwned):
            waits.append(_SLOWLY)
        if fault:
            logger.info("%s: %s: %s", key, fault.reason, fault.message)
        return min(waits)

    def _failed(self, key: Key, backoff: Backoff, at_least: float = 0.0) -> float:
        self._failures[key] += 1
        return backoff.delay(self._failures[key], at_least=at_least)

    def _count(self, outcome: Outcome) -> None:
        self._metrics.reconciles.labels("error" if outcome.fault else "success").inc()
        if outcome.fault:
            self._metrics.errors.labels(outcome.fault.reason).inc()
