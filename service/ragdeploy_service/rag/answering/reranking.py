"""Puts the passages found into a better order, if there is time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.concurrency.breaker import Breaker
from ragdeploy_service.rag.errors import RerankerUnavailable
from ragdeploy_service.rag.models import Passage, Stage
from ragdeploy_service.rag.ports import Reranker
from ragdeploy_service.rag.question import Question

# Found for each passage that is asked for: what is right and far down must be among them.
_EACH = 4
# The rest of the time is the language model's.
_SHARE = 0.5


class Reranking:
    """A reranker, and what it may take: ``candidates`` passages and ``seconds`` a question."""

    def __init__(
        self, reranker: Reranker, *, breaker: Breaker, candidates: int, seconds: float
    ) -> None:
        """Ask ``reranker``, and leave it alone while the ``breaker`` is open."""
        self._reranker = reranker
        self._breaker = breaker
        self._candidates = candidates
        self._seconds = seconds

    @property
    def fingerprint(self) -> str:
        """See `Reranker.fingerprint`."""
        return self._reranker.fingerprint

    def depth(self, top_k: int) -> int:
        """How many passages to find so that the best ``top_k`` are among them."""
        return max(top_k, min(top_k * _EACH, self._candidates))

    async def rerank(
        self, question: Question, passages: tuple[Passage, ...], clock: Clock
    ) -> tuple[Passage, ...]:
        """All passages, best first, each with its ``rerank_score``.

        Raises:
            RerankerUnavailable: it failed, or did not come to an end in time.

        """
        if not passages:
            return passages
        seconds = min(self._seconds, max(0.0, question.timeout - clock.elapsed) * _SHARE)
        with clock(Stage.RERANK), self._breaker.call():
            try:
                async with asyncio.timeout(seconds):
                    scores = await self._reranker.scores(
                        question.searched, [passage.chunk.in_context for passage in passages]
                    )
            except TimeoutError as error:
                raise RerankerUnavailable(
                    f"The passages were not reranked within {seconds:.3g} s."
                ) from error
        scored = [
            replace(passage, score=score, rerank_score=score)
            for passage, score in zip(passages, scores, strict=True)
        ]
        return tuple(sorted(scored, key=lambda passage: -passage.score))
