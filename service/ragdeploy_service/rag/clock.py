"""Measures the stages of one question or one job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ragdeploy_service.rag.models import Stage
from ragdeploy_service.rag.ports import Telemetry


class Clock:
    """Tells telemetry how long each stage took, and adds it up in ``timings`` (milliseconds)."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self.timings: dict[Stage, float] = {}

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[None]:
        """Measure what happens inside, whether it ends well or not."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            self.timings[stage] = self.timings.get(stage, 0.0) + seconds * 1000
            self._telemetry.stage(stage, seconds)
