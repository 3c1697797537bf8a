"""Lets the language model write an answer from passages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Set
from contextlib import aclosing

from ragdeploy_service.rag.accounts.account import Account, estimated_usage
from ragdeploy_service.rag.answering.answer_text import SafeText
from ragdeploy_service.rag.answering.progress import Audience, Piece
from ragdeploy_service.rag.answering.prompt import Prompt
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.concurrency.breaker import Breaker
from ragdeploy_service.rag.errors import LanguageModelUnavailable
from ragdeploy_service.rag.models import Answer, AnswerMode, Passage, Stage, Usage
from ragdeploy_service.rag.ports import LanguageModel
from ragdeploy_service.rag.question import Question


class Writer:
    """A language model with its prompt, and with the hosts that its answers may link to."""

    def __init__(
        self, *, llm: LanguageModel, prompt: Prompt, link_hosts: Set[str], breaker: Breaker
    ) -> None:
        """Ask ``llm``, and leave it alone while the ``breaker`` is open."""
        self._llm = llm
        self._breaker = breaker
        self._prompt = prompt
        self._hosts = link_hosts

    async def write(
        self,
        question: Question,
        passages: tuple[Passage, ...],
        account: Account,
        clock: Clock,
        audience: Audience,
    ) -> Answer:
        """Write an answer, aloud if there is an audience for it, and charge the account.

        An answer that is given up, or breaks off, is charged as far as it has come.

        Raises:
            LanguageModelUnavailable: no answer in time; pieces of one may have been told.

        """
        prompt = self._prompt.render(question.canonical, passages, question.history)
        answer = _Answer(SafeText(sources=len(passages), hosts=self._hosts), audience)
        try:
            with clock(Stage.GENERATE), self._breaker.call():
                if audience.streams:
                    usage = await answer.read_aloud(self._llm.stream(prompt))
                else:
                    whole, usage = await self._llm.complete(prompt)
                    answer.read(whole)
                clock.generated(prompt=prompt, answer=answer.written, usage=usage)
        except (asyncio.CancelledError, LanguageModelUnavailable) as error:
            if answer.written or isinstance(error, asyncio.CancelledError):
                spent = estimated_usage(prompt=prompt, completion=answer.written)
                await account.charge(spent, model=self._llm.name)
            raise
        bill = usage or estimated_usage(prompt=prompt, completion=answer.written)
        await account.charge(bill, model=self._llm.name)
        text = answer.end()
        if not text:
            raise LanguageModelUnavailable("The language model's answer said nothing.")
        return Answer(text=text, mode=AnswerMode.GENERATED, passages=passages, usage=usage)


class _Answer:
    """What the model has written so far, and what is said of it."""

    def __init__(self, safe: SafeText, audience: Audience) -> None:
        self.written = ""
        self._safe = safe
        self._said: list[str] = []
        self._audience = audience

    async def read_aloud(self, pieces: AsyncGenerator[str | Usage]) -> Usage | None:
        """Read to the end; the tokens it took, if the model's server says so."""
        usage: Usage | None = None
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Usage):
                    usage = piece
                else:
                    self.read(piece)
        return usage

    def read(self, piece: str) -> None:
        self.written += piece
        self._say(self._safe.feed(piece))

    def end(self) -> str:
        """Say the rest; the whole that was said."""
        self._say(self._safe.end())
        return "".join(self._said)

    def _say(self, text: str) -> None:
        if text:
            self._said.append(text)
            if self._audience.streams:
                self._audience.tell(Piece(text=text))
