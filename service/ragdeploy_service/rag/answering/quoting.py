"""Answers in the words of the passages, where no language model writes them."""

from __future__ import annotations

from collections.abc import Set

from ragdeploy_service.rag.answering.answer_text import safe
from ragdeploy_service.rag.answering.extract import extract
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.models import Answer, AnswerMode, Passage, Stage
from ragdeploy_service.rag.question import Question


class Quoter:
    """Quotes passages; links lead to the ``link_hosts`` alone."""

    def __init__(self, *, link_hosts: Set[str]) -> None:
        self._link_hosts = link_hosts

    def quote(self, question: Question, passages: tuple[Passage, ...], clock: Clock) -> Answer:
        """Answer a question with the sentences that are nearest to it."""
        with clock(Stage.EXTRACT):
            # What is quoted may hold numbers in brackets, and these cite nothing of ours.
            text = safe(extract(question.canonical, passages), sources=None, hosts=self._link_hosts)
        return Answer(text=text, mode=AnswerMode.EXTRACTIVE, passages=passages)
