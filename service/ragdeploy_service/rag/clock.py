"""Measures the stages of one question or one job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ragdeploy_service.rag.models import Stage, Usage
from ragdeploy_service.rag.ports import Telemetry


class Clock:
    """Tells telemetry how long each stage took, and adds it up in ``timings`` (milliseconds)."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._began = time.perf_counter()
        self.timings: dict[Stage, float] = {}
        self.latest: Stage | None = None
        """The stage that was begun last."""

    @property
    def elapsed(self) -> float:
        """Seconds since the question or the job was begun."""
        return time.perf_counter() - self._began

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[None]:
        """Measure what happens inside, whether it ends well or not."""
        started = time.perf_counter()
        self.latest = stage
        try:
            with self._telemetry.span(stage):
                yield
        finally:
            seconds = time.perf_counter() - started
            self.timings[stage] = self.timings.get(stage, 0.0) + seconds * 1000
            self._telemetry.stage(stage, seconds)

    def generated(self, *, prompt: str, answer: str, usage: Usage | None) -> None:
        """Trace, during `Stage.GENERATE`, what the language model was asked and said."""
        self._telemetry.generated(prompt=prompt, answer=answer, usage=usage)
