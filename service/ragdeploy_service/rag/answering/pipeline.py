"""From a question to an answer: cache, retrieve, generate, or extract without a model."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace

from ragdeploy_service.rag.accounts.account import Account
from ragdeploy_service.rag.answering.progress import Audience, Found, Listener, Progress
from ragdeploy_service.rag.answering.quoting import Quoter
from ragdeploy_service.rag.answering.retrieval import Retriever
from ragdeploy_service.rag.answering.writing import Writer
from ragdeploy_service.rag.caching.records import KeyBase
from ragdeploy_service.rag.caching.semantic import SemanticCache, Topic
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.concurrency.leading import Leading
from ragdeploy_service.rag.concurrency.single_flight import SingleFlight
from ragdeploy_service.rag.errors import CacheUnavailable, LanguageModelUnavailable
from ragdeploy_service.rag.jobs.epochs import EpochGate
from ragdeploy_service.rag.models import Answer, CacheState, Part, Passage, Stage
from ragdeploy_service.rag.ports import AnswerCache, Lookup, Telemetry
from ragdeploy_service.rag.question import Question


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
    degraded: tuple[Part, ...]
    timings: Mapping[Stage, float]


class Pipeline:
    """Answers questions from the indexed documents, each as well as it can be; see `Ladder`."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        writer: Writer | None,
        quoter: Quoter,
        cache: AnswerCache,
        semantic: SemanticCache | None,
        leading: Leading,
        epochs: EpochGate,
        keys: KeyBase,
        telemetry: Telemetry,
    ) -> None:
        """Put it together; answers are quotations without a ``writer``."""
        self._retriever = retriever
        self._writer = writer
        self._quoter = quoter
        self._cache = cache
        self._semantic = semantic
        self._leading = leading
        self._epochs = epochs
        self._keys = keys
        self._telemetry = telemetry
        self._answers: SingleFlight[tuple[str, str], Progress, Outcome] = SingleFlight()
        self._generations: SingleFlight[tuple[str, ...], Progress, Answer] = SingleFlight()

    async def retrieve(self, question: Question, clock: Clock) -> Retrieval:
        """Find passages and leave it at that; raises what `Retriever.retrieve` does."""
        await self._wait(question, clock)
        found = await self._retriever.retrieve(question, clock)
        return Retrieval(passages=found.passages, degraded=found.degraded, timings=clock.timings)

    async def ask(
        self, question: Question, account: Account, *, clock: Clock, audience: Audience
    ) -> Outcome:
        """Answer a question; raises what `Retriever.retrieve` does.

        The ``audience`` hears what happens on the way.

        An answer that was given before, or is being made for somebody else
        now, does only as long as no index job has ended since. It costs nothing.

        Raises:
            LimitExceeded: the answer must be written, and the account is empty.

        """
        await self._wait(question, clock)
        asked = _Asked(question, account, self._keys.key(question), clock, audience)
        if not question.use_cache:
            self._require_tokens(account)
            return await self._answer(asked, shared=False)
        lookup, degraded = await self._look_up(asked)
        if lookup.answer is not None:
            return asked.outcome(lookup.answer, CacheState.EXACT)
        # Here and not where the model is asked: callers who join each other's work have their own
        # accounts.
        self._require_tokens(account)
        if lookup.epoch is None:
            # Whoever asked before an index job must not answer for who asks after it,
            # so only the model's work is shared, by the passages it is given.
            outcome = await self._answer(asked)
        else:
            epoch = lookup.epoch
            outcome = await self._answers.run(
                (asked.key, epoch),
                lambda tell: self._lead(asked.to(tell), epoch),
                listener=audience.tell,
            )
        return with_degraded(outcome, degraded)

    async def stale(self, question: Question, clock: Clock) -> Outcome | None:
        """An answer from before the last change of the collection, or that has expired."""
        try:
            with clock(Stage.CACHE):
                lookup = await self._cache.get(question.collection, self._keys.key(question))
        except CacheUnavailable:
            return None
        if lookup.stale is None:
            return None
        self._telemetry.cache(CacheState.STALE)
        return Outcome(answer=lookup.stale, cached=CacheState.STALE, timings=clock.timings)

    def quote(self, question: Question, passages: tuple[Passage, ...], clock: Clock) -> Outcome:
        """Answer with words of the passages."""
        answer = self._quoter.quote(question, passages, clock)
        return Outcome(answer=answer, cached=CacheState.NONE, timings=clock.timings)

    def _require_tokens(self, account: Account) -> None:
        if self._writer is not None:
            account.require_tokens()

    async def _wait(self, question: Question, clock: Clock) -> None:
        """Let the jobs end that the question must know."""
        if question.min_epoch is not None:
            with clock(Stage.JOBS):
                await self._epochs.wait(question.collection, question.min_epoch)

    async def _look_up(self, asked: _Asked) -> tuple[Lookup, tuple[Part, ...]]:
        try:
            with asked.clock(Stage.CACHE):
                lookup = await self._cache.get(asked.question.collection, asked.key)
        except CacheUnavailable:
            self._telemetry.degraded(Part.CACHE)
            return Lookup(epoch=None), (Part.CACHE,)
        self._telemetry.cache(CacheState.EXACT if lookup.answer else CacheState.NONE)
        return lookup, ()

    async def _lead(self, asked: _Asked, epoch: str) -> Outcome:
        """Answer and keep it, or wait for a replica that does so now."""
        if self._writer is None:  # quoting is cheaper than waiting
            return await self._answer_and_keep(asked, epoch)

        async def look() -> Outcome | None:
            lookup = await self._cache.get(asked.question.collection, asked.key)
            if lookup.answer is None or lookup.epoch != epoch:
                return None
            return asked.outcome(lookup.answer, CacheState.EXACT)

        return await self._leading.once(
            f"{asked.key}:{epoch}", lambda: self._answer_and_keep(asked, epoch), look=look
        )

    async def _answer_and_keep(self, asked: _Asked, epoch: str) -> Outcome:
        outcome = await self._answer(asked, epoch=epoch)
        if outcome.answer.degraded or outcome.cached is not CacheState.NONE:
            return outcome  # the next one to ask may be luckier
        collection = asked.question.collection
        try:
            with asked.clock(Stage.CACHE):
                await self._cache.put(collection, asked.key, outcome.answer, epoch=epoch)
        except CacheUnavailable:
            self._telemetry.degraded(Part.CACHE)
            return with_degraded(outcome, (Part.CACHE,))
        return outcome

    async def _answer(
        self, asked: _Asked, *, epoch: str | None = None, shared: bool = True
    ) -> Outcome:
        """Answer afresh; if ``shared``, equal keys and equal passages make one generation."""
        found = await self._retriever.retrieve(asked.question, asked.clock)
        asked.audience.tell(Found(passages=found.passages))
        outcome = await self._answer_from(asked, found.passages, epoch=epoch, shared=shared)
        return with_degraded(outcome, found.degraded)

    async def _answer_from(
        self, asked: _Asked, passages: tuple[Passage, ...], *, epoch: str | None, shared: bool
    ) -> Outcome:
        writer = self._writer
        if writer is None or not passages:
            return self.quote(asked.question, passages, asked.clock)
        if self._semantic is not None and epoch is not None:
            topic = Topic.of(
                passages, key=self._keys.key(replace(asked.question, text="")), epoch=epoch
            )
            return await self._answer_alike(asked, passages, writer, self._semantic, topic)
        return await self._write(asked, passages, writer, shared=shared)

    async def _answer_alike(
        self,
        asked: _Asked,
        passages: tuple[Passage, ...],
        writer: Writer,
        semantic: SemanticCache,
        topic: Topic,
    ) -> Outcome:
        """Give the answer to a question that means the same, or write one and remember it."""
        question = asked.question.canonical
        with asked.clock(Stage.CACHE):
            answer = await semantic.find(question, topic)
        if answer is not None:
            self._telemetry.cache(CacheState.SEMANTIC)
            return asked.outcome(answer, CacheState.SEMANTIC)
        outcome = await self._write(asked, passages, writer, shared=True)
        if not outcome.answer.degraded:
            await semantic.keep(question, topic, outcome.answer)
        return outcome

    async def _write(
        self, asked: _Asked, passages: tuple[Passage, ...], writer: Writer, *, shared: bool
    ) -> Outcome:
        def write(to: _Asked) -> Awaitable[Answer]:
            return writer.write(to.question, passages, to.account, to.clock, to.audience)

        try:
            if not shared:
                return asked.outcome(await write(asked))
            key = (asked.key, *(passage.chunk.id for passage in passages))
            answer = await self._generations.run(
                key, lambda tell: write(asked.to(tell)), listener=asked.audience.tell
            )
            return asked.outcome(answer)
        except LanguageModelUnavailable:
            self._telemetry.degraded(Part.LLM)
            return with_degraded(self.quote(asked.question, passages, asked.clock), (Part.LLM,))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request on its way through the pipeline."""

    question: Question
    account: Account
    key: str
    clock: Clock
    audience: Audience

    def to(self, tell: Listener) -> _Asked:
        """The same, told to others."""
        return replace(self, audience=replace(self.audience, tell=tell))

    def outcome(self, answer: Answer, cached: CacheState = CacheState.NONE) -> Outcome:
        return Outcome(answer=answer, cached=cached, timings=self.clock.timings)


def with_degraded(outcome: Outcome, parts: tuple[Part, ...]) -> Outcome:
    """Say that an outcome came about without some parts."""
    if not parts:
        return outcome
    answer = outcome.answer
    return replace(outcome, answer=replace(answer, degraded=(*parts, *answer.degraded)))
