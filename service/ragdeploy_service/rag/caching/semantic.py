"""Answers to questions that mean the same, for whoever has switched this on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import structlog
from cachetools import LRUCache

from ragdeploy_service.rag.caching.likeness import may_ask_the_same
from ragdeploy_service.rag.errors import EmbedderUnavailable
from ragdeploy_service.rag.models import Answer, Passage
from ragdeploy_service.rag.ports import Embedder, Vectors

_MOST_SETS = 2048
_MOST_IN_SET = 8

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """All that must be the same for an answer to serve another question.

    ``key`` covers everything about the question but its text, ``epoch`` the collection's content,
    ``chunks`` the passages that were found, in any order.
    """

    key: str
    epoch: str
    chunks: frozenset[str]

    @classmethod
    def of(cls, passages: Sequence[Passage], *, key: str, epoch: str) -> Topic:
        """The topic of a question for which these passages were found."""
        return cls(key=key, epoch=epoch, chunks=frozenset(p.chunk.id for p in passages))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    question: str
    vector: Vectors
    answer: Answer


class SemanticCache:
    """Remembers questions with their vectors and answers, in this process and for an epoch.

    It spares the language model and nothing else: that the same passages were
    found is one of the guards, so they are looked for each time. No vector
    leaves the process. A replica knows only what it has answered itself; to
    share vectors would take a search in Redis, which only its modules have.
    """

    def __init__(self, embedder: Embedder, *, min_similarity: float) -> None:
        """Let an answer serve questions whose cosine similarity is at least ``min_similarity``."""
        self._embedder = embedder
        self._min_similarity = min_similarity
        self._topics: LRUCache[Topic, tuple[_Entry, ...]] = LRUCache(_MOST_SETS)

    async def find(self, question: str, topic: Topic) -> Answer | None:
        """The answer to the most similar question on the topic that passes all guards."""
        entries = [e for e in self._topics.get(topic, ()) if may_ask_the_same(question, e.question)]
        if not entries or (vector := await self._vector(question)) is None:
            return None
        similarities = np.stack([entry.vector for entry in entries]) @ vector
        best = int(np.argmax(similarities))
        return entries[best].answer if similarities[best] >= self._min_similarity else None

    async def keep(self, question: str, topic: Topic, answer: Answer) -> None:
        """Remember an answer; of several on one topic the latest."""
        if (vector := await self._vector(question)) is None:
            return
        entry = _Entry(question=question, vector=vector, answer=answer)
        self._topics[topic] = (*self._topics.get(topic, ()), entry)[-_MOST_IN_SET:]

    async def _vector(self, question: str) -> Vectors | None:
        try:
            rows = await self._embedder.embed_queries([question])
        except EmbedderUnavailable as error:
            _log.info("a question is not compared with others", reason=str(error))
            return None
        row: Vectors = rows[0]
        return row
