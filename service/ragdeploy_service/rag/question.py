"""What is asked, and of what: everything that a route has understood of a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ragdeploy_service.rag.filters import Filter
from ragdeploy_service.rag.models import CollectionId, SearchMode
from ragdeploy_service.rag.text import canonical

# As long as a question may be that has no conversation before it.
_SEARCHED = 1000


class Speaker(StrEnum):
    """Who said something before the question."""

    INSTRUCTION = "instruction"  # of the program that asks
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Something that was said before the question."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to the documents of one collection.

    ``min_score`` bounds the cosine similarity, -1 to 1. With ``rerank``, a reranker chooses among
    more passages than are asked for; there must be one. A question with ``use_cache`` may be
    answered with what was answered before, or is being answered for somebody else now. It is
    answered within ``timeout`` seconds or not at all, and not before every job of its collection
    up to ``min_epoch`` has ended.
    """

    text: str
    collection: CollectionId
    top_k: int
    mode: SearchMode
    min_score: float
    rerank: bool = False
    where: Filter | None = None
    use_cache: bool = True
    timeout: float = 60.0
    min_epoch: int | None = None
    history: tuple[Turn, ...] = ()

    @property
    def canonical(self) -> str:
        """The text in the form that stands for all its spellings."""
        return canonical(self.text)

    @property
    def searched(self) -> str:
        """The text that passages are searched with.

        "And how do I undo it?" means nothing by itself, so what the user said before goes with
        it. Of long texts the end is taken, where people put what they want to know.
        """
        before = [turn.text for turn in self.history if turn.speaker is Speaker.USER][-1:]
        return canonical("\n".join([*before, self.text]))[-_SEARCHED:].lstrip()
