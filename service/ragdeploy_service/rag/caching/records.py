"""What an answer is kept under, and how it is written down.

A key covers all that an answer depends on but the collection's content; that
is the epoch, which is kept beside the answer (see `AnswerCache`). LightRAG
(#755, #945) and the tutorial this service began as keyed on the question
alone, and gave out answers of another model or another ``top_k``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from ragdeploy_service.rag.models import Answer, AnswerMode, Chunk, Part, Passage, Usage
from ragdeploy_service.rag.ports import Lookup
from ragdeploy_service.rag.question import Question

# Raise it when the same inputs would give another answer or another record.
_VERSION = 5

# Answers that stay parsed while they are asked for: with their records some 5 MB.
_PARSED = 256

# What is about one request, or stands in the key in another form. Any other field of a question,
# one that is still to come too, tells answers apart.
_APART = {"text", "use_cache", "timeout", "min_epoch"}
_asked = attrgetter(*(field.name for field in fields(Question) if field.name not in _APART))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBase:
    """What all answers of one service depend on."""

    store: str
    embedding: str
    reranker: str
    llm: str
    prompt: str

    def key(self, question: Question) -> str:
        """Name the answer to a question: 64 hex digits, the same on every replica."""
        ours = (_VERSION, self.store, self.embedding, self.reranker, self.llm, self.prompt)
        material = (*ours, question.canonical, *_asked(question))
        return hashlib.sha256(json.dumps(material, default=repr).encode()).hexdigest()


def epoch_of(*, mark: str, word: str) -> str:
    """Name an epoch: by a word of its own, and by the mark of the last deletion before it."""
    return f"{mark}.{word}"


def _same_mark(one: str, other: str) -> bool:
    """Whether nothing was deleted between two epochs."""
    return one.partition(".")[0] == other.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer with the epoch it is of, and when it expires, in seconds of the cache's clock."""

    answer: Answer
    epoch: str
    expires: float

    def seen(self, *, epoch: str, now: float) -> Lookup:
        """What it is worth at an epoch and a time; nothing, if it may tell what was deleted."""
        if self.epoch == epoch and now < self.expires:
            return Lookup(epoch=epoch, answer=self.answer)
        return Lookup(epoch=epoch, stale=self.answer if _same_mark(self.epoch, epoch) else None)


def dump(kept: Kept, *, key: str) -> bytes:
    """Write an answer down together with what it may be given out for."""
    return json.dumps({"key": key, **_fields(kept)}, ensure_ascii=False, default=_fields).encode()


def _fields(part: Any) -> dict[str, Any]:
    """Give a dataclass's fields as they are: `asdict` would copy all that is in them first."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


@lru_cache(_PARSED)
def load(record: bytes, *, key: str) -> Kept | None:
    """Read an answer back; None if it was kept for another question.

    Equal records are read once, and so give the same object: nobody may change it.

    The key is checked although the store was asked for it, because a cancelled
    call can leave a connection one reply behind (redis-py#2665).
    """
    data = json.loads(record)
    if data["key"] != key:
        return None
    return Kept(answer=_answer(data["answer"]), epoch=data["epoch"], expires=data["expires"])


def _answer(data: dict[str, Any]) -> Answer:
    usage = data["usage"]
    return Answer(
        text=data["text"],
        mode=AnswerMode(data["mode"]),
        passages=tuple(
            Passage(**{**passage, "chunk": Chunk(**passage["chunk"])})
            for passage in data["passages"]
        ),
        usage=Usage(**usage) if usage else None,
        degraded=tuple(Part(part) for part in data["degraded"]),
    )
