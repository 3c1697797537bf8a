"""Answers as well as can be at the moment, in the time there is.

From the best to the least: a fresh answer or the same as a moment ago; one
from before the last change, marked stale; quotations instead of a written
answer; an error that says when to ask again. `Pipeline` knows how to make each
of them, and here is decided which.
"""

from __future__ import annotations

import asyncio

from ragdeploy_service.rag.accounts.account import Account
from ragdeploy_service.rag.answering.pipeline import Outcome, Pipeline, Retrieval, with_degraded
from ragdeploy_service.rag.answering.progress import Audience, Found, Listener, Progress
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.concurrency.slots import Slots
from ragdeploy_service.rag.errors import (
    DeadlineExceeded,
    EmbedderUnavailable,
    VectorStoreUnavailable,
)
from ragdeploy_service.rag.models import Part, Passage, Stage
from ragdeploy_service.rag.ports import Telemetry
from ragdeploy_service.rag.question import Question

# What is kept of the time for the lower rungs, which take milliseconds.
_RESERVE_SHARE, _RESERVE_SECONDS = 0.1, 0.3

_WHERE = {
    Stage.JOBS: "the jobs up to min_epoch had not ended",
    Stage.EMBED: "the question waited for the embedding model",
    Stage.RETRIEVE: "the vector store was searched",
    Stage.RERANK: "the passages were reranked",
    Stage.GENERATE: "the language model wrote",
}

_PARTS = {
    Stage.EMBED: Part.EMBEDDER,
    Stage.RETRIEVE: Part.VECTOR_STORE,
    Stage.RERANK: Part.RERANKER,
    Stage.GENERATE: Part.LLM,
}


class Ladder:
    """Answers questions, so many at once, and steps down where a part fails or is slow."""

    def __init__(self, pipeline: Pipeline, *, capacity: Slots, telemetry: Telemetry) -> None:
        self._pipeline = pipeline
        self._capacity = capacity
        self._telemetry = telemetry

    async def retrieve(self, question: Question) -> Retrieval:
        """Find passages and leave it at that.

        Raises:
            RagError: what `Retriever.retrieve` raises.
            DeadlineExceeded: there was no time left; says where it went.
            Overloaded: too many questions are being answered.

        """
        clock = Clock(self._telemetry)
        with self._capacity.one():
            try:
                async with asyncio.timeout(question.timeout):
                    return await self._pipeline.retrieve(question, clock)
            except TimeoutError as error:
                raise _too_late(question, _stage(clock)) from error

    async def ask(
        self, question: Question, account: Account, *, listener: Listener | None = None
    ) -> Outcome:
        """Answer a question; raises what `retrieve` does, if there is not even a stale answer.

        A ``listener`` hears what happens on the way (see `streaming.stream`); the language
        model is then asked for a stream.

        Raises:
            LimitExceeded: the answer must be written, and the account is empty.

        """
        clock = Clock(self._telemetry)
        heard = _Heard(listener)
        audience = Audience(tell=heard, streams=listener is not None)
        reserve = min(_RESERVE_SHARE * question.timeout, _RESERVE_SECONDS)
        with self._capacity.one():
            try:
                async with asyncio.timeout(question.timeout - reserve):
                    outcome = await self._pipeline.ask(
                        question, account, clock=clock, audience=audience
                    )
            except TimeoutError as error:
                stage = Stage.GENERATE if heard.passages is not None else _stage(clock)
                if (lower := await self._stale(question, clock, _PARTS.get(stage))) is not None:
                    return lower
                if heard.passages is None:
                    raise _too_late(question, stage) from error
                self._telemetry.degraded(Part.LLM)
                return with_degraded(
                    self._pipeline.quote(question, heard.passages, clock), (Part.LLM,)
                )
            except (VectorStoreUnavailable, EmbedderUnavailable) as error:
                stage = Stage.RETRIEVE if isinstance(error, VectorStoreUnavailable) else Stage.EMBED
                if (lower := await self._stale(question, clock, _PARTS[stage])) is None:
                    raise
                return lower
            if Part.LLM in outcome.answer.degraded:
                return await self._stale(question, clock, Part.LLM) or outcome
            return outcome

    async def _stale(self, question: Question, clock: Clock, part: Part | None) -> Outcome | None:
        """An answer from before, for want of a part; only to who did not ask for the latest."""
        if part is None or not question.use_cache or question.min_epoch is not None:
            return None
        stale = await self._pipeline.stale(question, clock)
        if stale is None:
            return None
        if part is not Part.LLM:  # that is counted already
            self._telemetry.degraded(part)
        return with_degraded(stale, (part,))


class _Heard:
    """Remembers the passages that an answer is being made from."""

    def __init__(self, listener: Listener | None) -> None:
        self.passages: tuple[Passage, ...] | None = None
        self._listener = listener

    def __call__(self, progress: Progress) -> None:
        if isinstance(progress, Found):
            self.passages = progress.passages
        if self._listener is not None:
            self._listener(progress)


def _stage(clock: Clock) -> Stage:
    """The stage at which the time ended, before there were passages."""
    # A look into the cache is short; after it, who waits for another's work has no clock there.
    return clock.latest if clock.latest in _WHERE else Stage.RETRIEVE


def _too_late(question: Question, stage: Stage) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"There was no answer within {question.timeout:g} s: {_WHERE[stage]}. Ask again, or give "
        "a longer timeout_ms.",
        stage=stage,
    )
