"""From a question to an answer: cache, retrieve, generate, or extract without a model."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from ragdeploy_service.rag.account import Account
from ragdeploy_service.rag.answer_text import safe
from ragdeploy_service.rag.cache import KeyBase
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.epochs import EpochGate
from ragdeploy_service.rag.errors import CacheUnavailable, LanguageModelUnavailable
from ragdeploy_service.rag.extract import extract
from ragdeploy_service.rag.models import Answer, AnswerMode, CacheState, Part, Passage, Stage
from ragdeploy_service.rag.ports import AnswerCache, LanguageModel, Lookup, Telemetry
from ragdeploy_service.rag.progress import NOBODY, Audience, Found, Listener, Progress
from ragdeploy_service.rag.prompt import Prompt
from ragdeploy_service.rag.question import Question
from ragdeploy_service.rag.retrieval import Retriever
from ragdeploy_service.rag.single_flight import SingleFlight
from ragdeploy_service.rag.writing import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer and how it came about; ``timings`` are milliseconds by stage."""

    answer: Answer
    cached: CacheState
    timings: Mapping[Stage, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """Passages without an answer; ``timings`` are milliseconds by stage."""

    passages: tuple[Passage, ...]
    timings: Mapping[Stage, float]


class Pipeline:
    """Answers questions from the indexed documents; without a ``llm`` it quotes them.

    Answers link to the ``link_hosts`` alone.
    """

    def __init__(
        self,
        *,
        retriever: Retriever,
        llm: LanguageModel | None,
        cache: AnswerCache,
        epochs: EpochGate,
        prompt: Prompt,
        keys: KeyBase,
        link_hosts: Set[str],
        telemetry: Telemetry,
    ) -> None:
        self._retriever = retriever
        self._writer = (
            None if llm is None else Writer(llm=llm, prompt=prompt, link_hosts=link_hosts)
        )
        self._link_hosts = link_hosts
        self._cache = cache
        self._epochs = epochs
        self._keys = keys
        self._telemetry = telemetry
        self._answers: SingleFlight[tuple[str, str], Progress, Outcome] = SingleFlight()
        self._generations: SingleFlight[tuple[str, ...], Progress, Answer] = SingleFlight()

    async def retrieve(self, question: Question) -> Retrieval:
        """Find passages and leave it at that; raises what `Retriever.retrieve` does."""
        clock = Clock(self._telemetry)
        await self._wait(question, clock)
        passages = await self._retriever.retrieve(question, clock)
        return Retrieval(passages=passages, timings=clock.timings)

    async def ask(
        self, question: Question, account: Account, *, listener: Listener | None = None
    ) -> Outcome:
        """Answer a question; raises what `Retriever.retrieve` does.

        A ``listener`` hears what happens on the way (see `streaming.stream`); the language
        model is then asked for a stream.

        An answer that was given before, or is being made for somebody else
        now, does only as long as no index job has ended since. It costs nothing.

        Raises:
            LimitExceeded: the answer must be written, and the account is empty.

        """
        clock = Clock(self._telemetry)
        audience = Audience(tell=listener, streams=True) if listener else NOBODY
        await self._wait(question, clock)
        if not question.use_cache:
            self._require_tokens(account)
            answer = await self._answer(question, account, key=None, clock=clock, audience=audience)
            return Outcome(answer=answer, cached=CacheState.NONE, timings=clock.timings)
        key = self._keys.key(question)
        lookup, degraded = await self._look_up(question, key, clock)
        if lookup.answer is not None:
            return Outcome(answer=lookup.answer, cached=CacheState.EXACT, timings=clock.timings)
        # Here and not where the model is asked: callers who join each other's work have their own
        # accounts.
        self._require_tokens(account)
        if lookup.epoch is None:
            # Whoever asked before an index job must not answer for who asks after it,
            # so only the model's work is shared, by the passages it is given.
            answer = await self._answer(question, account, key=key, clock=clock, audience=audience)
            outcome = Outcome(answer=answer, cached=CacheState.NONE, timings=clock.timings)
        else:
            epoch = lookup.epoch
            outcome = await self._answers.run(
                (key, epoch),
                lambda tell: self._answer_and_keep(
                    question,
                    account,
                    key=key,
                    epoch=epoch,
                    clock=clock,
                    audience=replace(audience, tell=tell),
                ),
                listener=listener,
            )
        return _with_degraded(outcome, degraded)

    def _require_tokens(self, account: Account) -> None:
        if self._writer is not None:
            account.require_tokens()

    async def _wait(self, question: Question, clock: Clock) -> None:
        """Let the jobs end that the question must know."""
        if question.min_epoch is not None:
            with clock(Stage.JOBS):
                await self._epochs.wait(
                    question.collection, question.min_epoch, seconds=question.timeout
                )

    async def _look_up(
        self, question: Question, key: str, clock: Clock
    ) -> tuple[Lookup, tuple[Part, ...]]:
        try:
            with clock(Stage.CACHE):
                lookup = await self._cache.get(question.collection, key)
        except CacheUnavailable:
            self._telemetry.degraded(Part.CACHE)
            return Lookup(epoch=None), (Part.CACHE,)
        self._telemetry.cache(CacheState.EXACT if lookup.answer else CacheState.NONE)
        return lookup, ()

    async def _answer_and_keep(
        self,
        question: Question,
        account: Account,
        *,
        key: str,
        epoch: str,
        clock: Clock,
        audience: Audience,
    ) -> Outcome:
        answer = await self._answer(question, account, key=key, clock=clock, audience=audience)
        outcome = Outcome(answer=answer, cached=CacheState.NONE, timings=clock.timings)
        if answer.degraded:  # the next one to ask may be luckier
            return outcome
        try:
            with clock(Stage.CACHE):
                await self._cache.put(question.collection, key, answer, epoch=epoch)
        except CacheUnavailable:
            self._telemetry.degraded(Part.CACHE)
            return _with_degraded(outcome, (Part.CACHE,))
        return outcome

    async def _answer(
        self,
        question: Question,
        account: Account,
        *,
        key: str | None,
        clock: Clock,
        audience: Audience,
    ) -> Answer:
        """Answer afresh; calls with equal keys and equal passages share one generation."""
        passages = await self._retriever.retrieve(question, clock)
        audience.tell(Found(passages=passages))
        writer = self._writer
        if writer is None or not passages:
            return self._extract(question, passages, clock)
        try:
            if key is None:
                return await writer.write(question, passages, account, clock, audience)
            return await self._generations.run(
                (key, *(passage.chunk.id for passage in passages)),
                lambda tell: writer.write(
                    question, passages, account, clock, replace(audience, tell=tell)
                ),
                listener=audience.tell,
            )
        except LanguageModelUnavailable:
            self._telemetry.degraded(Part.LLM)
            return replace(self._extract(question, passages, clock), degraded=(Part.LLM,))

    def _extract(self, question: Question, passages: tuple[Passage, ...], clock: Clock) -> Answer:
        with clock(Stage.EXTRACT):
            # What is quoted may hold numbers in brackets, and these cite nothing of ours.
            text = safe(extract(question.canonical, passages), sources=None, hosts=self._link_hosts)
        return Answer(text=text, mode=AnswerMode.EXTRACTIVE, passages=passages)


def _with_degraded(outcome: Outcome, parts: tuple[Part, ...]) -> Outcome:
    if not parts:
        return outcome
    answer = outcome.answer
    return replace(outcome, answer=replace(answer, degraded=(*parts, *answer.degraded)))
