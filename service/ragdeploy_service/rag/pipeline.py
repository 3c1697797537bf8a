"""From a question to an answer: cache, embed, retrieve, generate, or extract without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from ragdeploy_service.rag.cache import KeyBase, canonical
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.errors import (
    CacheUnavailable,
    DeadlineExceeded,
    LanguageModelUnavailable,
)
from ragdeploy_service.rag.extract import extract
from ragdeploy_service.rag.models import Answer, AnswerMode, CacheState, Part, Passage, Stage
from ragdeploy_service.rag.ports import (
    AnswerCache,
    Embedder,
    LanguageModel,
    Lookup,
    Telemetry,
    VectorStore,
)
from ragdeploy_service.rag.prompt import Prompt
from ragdeploy_service.rag.single_flight import SingleFlight

# A question waits for its turn at the model; longer than this, and its asker has gone.
_EMBED_SECONDS = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer and how it came about; ``timings`` are milliseconds by stage."""

    answer: Answer
    cached: CacheState
    timings: Mapping[Stage, float]


class Pipeline:
    """Answers questions from the indexed documents; without a ``llm`` it quotes them."""

    def __init__(
        self,
        *,
        embedder: Embedder,
        store: VectorStore,
        llm: LanguageModel | None,
        cache: AnswerCache,
        prompt: Prompt,
        keys: KeyBase,
        telemetry: Telemetry,
    ) -> None:
        self._embedder = embedder
        self._store = store
        self._llm = llm
        self._cache = cache
        self._prompt = prompt
        self._keys = keys
        self._telemetry = telemetry
        self._answers: SingleFlight[tuple[str, str], Outcome] = SingleFlight()
        self._generations: SingleFlight[tuple[str, ...], Answer] = SingleFlight()

    async def ask(self, question: str, *, top_k: int, use_cache: bool) -> Outcome:
        """Answer a question from the ``top_k`` nearest passages.

        With ``use_cache`` the answer may be one that was given before, or is
        being made for somebody else now, as long as no index job has ended
        since.

        Raises:
            VectorStoreUnavailable, EmbeddingMismatch, EmbedderUnavailable: no passages.
            DeadlineExceeded: the embedding model is too busy.

        """
        question = canonical(question)
        clock = Clock(self._telemetry)
        key = self._keys.key(question, top_k=top_k)
        if not use_cache:
            answer = await self._answer(question, key=None, top_k=top_k, clock=clock)
            return Outcome(answer=answer, cached=CacheState.NONE, timings=clock.timings)
        lookup, degraded = await self._look_up(key, clock)
        if lookup.answer is not None:
            return Outcome(answer=lookup.answer, cached=CacheState.EXACT, timings=clock.timings)
        if lookup.epoch is None:
            # Whoever asked before an index job must not answer for who asks after it,
            # so only the model's work is shared, by the passages it is given.
            answer = await self._answer(question, key=key, top_k=top_k, clock=clock)
            outcome = Outcome(answer=answer, cached=CacheState.NONE, timings=clock.timings)
        else:
            epoch = lookup.epoch
            outcome = await self._answers.run(
                (key, epoch),
                lambda: self._answer_and_keep(
                    question, key=key, epoch=epoch, top_k=top_k, clock=clock
                ),
            )
        return _with_degraded(outcome, degraded)

    async def _look_up(self, key: str, clock: Clock) -> tuple[Lookup, tuple[Part, ...]]:
        try:
            with clock(Stage.CACHE):
                lookup = await self._cache.get(key)
        except CacheUnavailable:
            self._telemetry.degraded(Part.CACHE)
            return Lookup(epoch=None), (Part.CACHE,)
        self._telemetry.cache(CacheState.EXACT if lookup.answer else CacheState.NONE)
        return lookup, ()

    async def _answer_and_keep(
        self, question: str, *, key: str, epoch: str, top_k: int, clock: Clock
    ) -> Outcome:
        answer = await self._answer(question, key=key, top_k=top_k, clock=clock)
        outcome = Outcome(answer=answer, cached=CacheState.NONE, timings=clock.timings)
        if answer.degraded:  # the next one to ask may be luckier
            return outcome
        try:
            with clock(Stage.CACHE):
                await self._cache.put(key, answer, epoch=epoch)
        except CacheUnavailable:
            self._telemetry.degraded(Part.CACHE)
            return _with_degraded(outcome, (Part.CACHE,))
        return outcome

    async def _answer(self, question: str, *, key: str | None, top_k: int, clock: Clock) -> Answer:
        """Answer afresh; calls with equal keys and equal passages share one generation."""
        passages = await self._retrieve(question, top_k=top_k, clock=clock)
        if self._llm is None or not passages:
            return _extractive(question, passages, clock)
        if key is None:
            return await self._generate(question, passages, self._llm, clock)
        llm = self._llm
        return await self._generations.run(
            (key, *(passage.chunk.id for passage in passages)),
            lambda: self._generate(question, passages, llm, clock),
        )

    async def _retrieve(self, question: str, *, top_k: int, clock: Clock) -> tuple[Passage, ...]:
        with clock(Stage.EMBED):
            try:
                async with asyncio.timeout(_EMBED_SECONDS):
                    vectors = await self._embedder.embed_queries([question])
            except TimeoutError as error:
                raise DeadlineExceeded(
                    f"The embedding model did not come to the question in {_EMBED_SECONDS:g} s."
                ) from error
        with clock(Stage.RETRIEVE):
            found = await self._store.search(
                vectors[0], top_k=top_k, min_score=self._keys.min_score
            )
        return tuple(found)

    async def _generate(
        self, question: str, passages: tuple[Passage, ...], llm: LanguageModel, clock: Clock
    ) -> Answer:
        try:
            with clock(Stage.GENERATE):
                text, usage = await llm.complete(self._prompt.render(question, passages))
        except LanguageModelUnavailable:
            self._telemetry.degraded(Part.LLM)
            return replace(_extractive(question, passages, clock), degraded=(Part.LLM,))
        if usage is not None:
            self._telemetry.llm_tokens(usage)
        return Answer(text=text, mode=AnswerMode.GENERATED, passages=passages, usage=usage)


def _extractive(question: str, passages: tuple[Passage, ...], clock: Clock) -> Answer:
    with clock(Stage.EXTRACT):
        text = extract(question, passages)
    return Answer(text=text, mode=AnswerMode.EXTRACTIVE, passages=passages)


def _with_degraded(outcome: Outcome, parts: tuple[Part, ...]) -> Outcome:
    if not parts:
        return outcome
    answer = outcome.answer
    return replace(outcome, answer=replace(answer, degraded=(*parts, *answer.degraded)))
