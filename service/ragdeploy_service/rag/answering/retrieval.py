"""From a question to the passages that may answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragdeploy_service.rag.answering.reranking import Reranking
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.concurrency.breaker import Breaker
from ragdeploy_service.rag.errors import DeadlineExceeded, RerankerUnavailable
from ragdeploy_service.rag.models import Part, Passage, SearchMode, Stage
from ragdeploy_service.rag.ports import Collection, Embedder, Telemetry, Vectors, VectorStore
from ragdeploy_service.rag.question import Question

# A question waits for its turn at the model; longer than this, and its asker has gone.
_EMBED_SECONDS = 10.0

# Both lists are read deeper than what is asked for, because a passage in the middle of both
# may come out first.
_DEPTH = 4
_LEAST = 20

# Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
# Rank Learning Methods" (SIGIR 2009), found 60 good on all their data; Milvus uses it too.
_RRF_K = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """Passages, best first, and the parts that they were found without."""

    passages: tuple[Passage, ...]
    degraded: tuple[Part, ...] = ()


class Retriever:
    """Finds passages by meaning, by words, or by both, and may have them reranked."""

    def __init__(
        self,
        *,
        embedder: Embedder,
        store: VectorStore,
        breaker: Breaker,
        reranking: Reranking | None,
        telemetry: Telemetry,
    ) -> None:
        """Search a store, and leave it alone while the ``breaker`` is open."""
        self._embedder = embedder
        self._store = store
        self._breaker = breaker
        self._reranking = reranking
        self._telemetry = telemetry

    async def retrieve(self, question: Question, clock: Clock) -> Retrieved:
        """Find at most ``top_k`` passages, best first.

        Where they cannot be reranked, they stay in the order in which they were found.

        Raises:
            CollectionNotFound, SearchModeUnsupported: the question cannot be put like this.
            VectorStoreUnavailable, EmbeddingMismatch, EmbedderUnavailable: no passages now.
            DeadlineExceeded: the embedding model is too busy.

        """
        reranking = self._reranking if question.rerank else None
        top_k = question.top_k if reranking is None else reranking.depth(question.top_k)
        with self._breaker.call():
            found = await self._search(question, top_k, clock)
        if reranking is None:
            return Retrieved(passages=found)
        try:
            found = await reranking.rerank(question, found, clock)
        except RerankerUnavailable:
            self._telemetry.degraded(Part.RERANKER)
            return Retrieved(passages=found[: question.top_k], degraded=(Part.RERANKER,))
        return Retrieved(passages=found[: question.top_k])

    async def _search(self, question: Question, top_k: int, clock: Clock) -> tuple[Passage, ...]:
        collection = await self._store.open(question.collection, create=False)
        match question.mode:
            case SearchMode.DENSE:
                found = await self._dense(collection, question, top_k, clock)
            case SearchMode.SPARSE:
                with clock(Stage.RETRIEVE):
                    found = await self._sparse(collection, question, top_k)
            case SearchMode.HYBRID:
                found = await self._hybrid(collection, question, top_k, clock)
        return tuple(found)

    async def _hybrid(
        self, collection: Collection, question: Question, top_k: int, clock: Clock
    ) -> list[Passage]:
        depth = max(_LEAST, top_k * _DEPTH)
        dense, sparse = await asyncio.gather(
            self._dense(collection, question, depth, clock),
            self._sparse(collection, question, depth),
        )
        return fuse(dense, sparse)[:top_k]

    async def _dense(
        self, collection: Collection, question: Question, top_k: int, clock: Clock
    ) -> list[Passage]:
        with clock(Stage.EMBED):
            vector = await self._vector(question.searched)
        with clock(Stage.RETRIEVE):
            found = await collection.search_dense(vector, top_k=top_k, where=question.where)
        return [passage for passage in found if passage.score >= question.min_score]

    async def _sparse(
        self, collection: Collection, question: Question, top_k: int
    ) -> list[Passage]:
        return await collection.search_sparse(question.searched, top_k=top_k, where=question.where)

    async def _vector(self, text: str) -> Vectors:
        try:
            async with asyncio.timeout(_EMBED_SECONDS):
                vectors = await self._embedder.embed_queries([text])
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"The embedding model did not come to the question in {_EMBED_SECONDS:g} s.",
                stage=Stage.EMBED,
            ) from error
        row: Vectors = vectors[0]
        return row


def fuse(dense: Sequence[Passage], sparse: Sequence[Passage]) -> list[Passage]:
    """Merge two lists, each best first, by reciprocal rank: score = sum of 1 / (60 + rank).

    Ranks count from 1. Of passages that come out alike, those nearer in meaning come first. Each
    passage keeps the scores of both searches.
    """
    merged: dict[str, Passage] = {}
    for passages in (dense, sparse):
        for rank, passage in enumerate(passages, start=1):
            known = merged.get(passage.chunk.id)
            merged[passage.chunk.id] = replace(
                known or passage,
                score=(known.score if known else 0.0) + 1 / (_RRF_K + rank),
                sparse_score=passage.sparse_score,
            )
    return sorted(merged.values(), key=lambda passage: -passage.score)
