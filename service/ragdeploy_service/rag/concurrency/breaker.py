"""Leaves a part alone for a while that keeps failing.

A single call is let through to see whether the part is back, replicas do not
all try at one moment, and a cancelled call says nothing about the part.
Of two libraries, purgatory 3.0 and aiobreaker 1.2, neither does these: when
the time is over both let every call through until one has ended, both wait
for a fixed time, and purgatory counts a cancelled call as a failure, or as a
success if it is told to leave it out.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from ragdeploy_service.rag.errors import Unavailable

_JITTER = 0.25

_log = structlog.get_logger(__name__)


class Breaker:
    """Counts failures of one part in a row; after too many, calls fail at once.

    A call that ends otherwise, cancelled or with another error, tells nothing.

    After ``seconds``, more or less a quarter, one call is let through; if it
    succeeds, so may all others.

    >>> with breaker.call():
    ...     await store.search(...)
    """

    def __init__(
        self,
        name: str,
        *,
        failure: type[Unavailable],
        failures: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open after so many errors of type ``failure`` in a row; never if for 0 seconds."""
        self._name = name
        self._failure = failure
        self._most = failures if seconds else math.inf
        self._seconds = seconds
        self._clock = clock
        self._failed = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether a call would fail at once."""
        return self._failed >= self._most and (self._probing or self._clock() < self._open_until)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Do something with the part.

        Raises:
            Unavailable: of the type that the breaker counts, if the part failed a moment ago.

        """
        if self.is_open:
            raise self._failure(f"The {self._name} failed a moment ago and is left alone.")
        probe = self._failed >= self._most
        self._probing = self._probing or probe
        try:
            yield
        except self._failure:
            self._fail()
            raise
        else:
            self._succeed()
        finally:
            if probe:
                self._probing = False

    def _fail(self) -> None:
        self._failed += 1
        if self._failed >= self._most:
            spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
            self._open_until = self._clock() + self._seconds * spread
            _log.warning("a part fails and is left alone", part=self._name, failures=self._failed)

    def _succeed(self) -> None:
        if self._failed >= self._most:
            _log.info("a part is back", part=self._name)
        self._failed = 0
