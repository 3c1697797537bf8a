"""Counts and measures what the service does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.models import (
    CacheState,
    JobKind,
    JobState,
    Part,
    Stage,
    Usage,
)
from ragdeploy_service.rag.quota import Policy


class Telemetry(Protocol):
    """Counts and measures; no call may fail or wait."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """One stage of a question or a job took this long."""
        ...

    def span(self, stage: Stage) -> AbstractContextManager[None]:
        """Stand around a stage in the trace of the present request or job."""
        ...

    def job_span(
        self, kind: JobKind, *, job_id: str, traceparent: str | None
    ) -> AbstractContextManager[None]:
        """Stand around a job, in the trace that it came with."""
        ...

    def generated(self, *, prompt: str, answer: str, usage: Usage | None) -> None:
        """A language model has answered, in the span of the present stage."""
        ...

    def cache(self, state: CacheState) -> None:
        """A question was looked up in the cache."""
        ...

    def degraded(self, part: Part) -> None:
        """A question was answered without a part."""
        ...

    def llm_call(self, caller: Principal, *, model: str, usage: Usage) -> None:
        """A language model wrote an answer for somebody."""
        ...

    def limited(self, policy: Policy) -> None:
        """A request was refused because its caller had used up a limit."""
        ...

    def job(self, state: JobState, *, documents: int) -> None:
        """A job came into a state."""
        ...
