"""Answers by quoting: the sentences of the passages that share most with the question.

It needs no model, so it is what the service says without one, and what is
left when the one it has does not answer. It never claims to be more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragdeploy_service.rag.answering.sentences import is_chinese, sentences, terms
from ragdeploy_service.rag.models import Passage

_MOST_SENTENCES = 3
_LONGEST_SENTENCE = 400  # characters; code and tables have no full stops


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wording:
    found: str
    nearest: str
    nothing: str


_ENGLISH = _Wording(
    found="Extract from the documents, not a written answer:",
    nearest="No sentence answers this directly. The nearest passage in the documents:",
    nothing="Nothing in the indexed documents answers this question.",
)
_CHINESE = _Wording(
    found="文档摘录（原文，并非生成的回答）：",
    nearest="没有句子直接回答这个问题。文档中最接近的段落：",
    nothing="已索引的文档中没有能回答这个问题的内容。",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    text: str
    passage: int
    order: int
    terms: frozenset[str]


def extract(question: str, passages: Sequence[Passage]) -> str:
    """Quote the best sentences, each with the number of its passage, in the question's language."""
    wording = _CHINESE if is_chinese(question) else _ENGLISH
    if not passages:
        return wording.nothing
    asked = terms(question)
    found = list(_sentences(passages))
    chosen = _best(asked, found, passages)
    if chosen:
        return "\n".join([wording.found, *(_quote(sentence) for sentence in chosen)])
    first = [sentence for sentence in found if sentence.passage == 0][:_MOST_SENTENCES]
    return "\n".join([wording.nearest, *(_quote(sentence) for sentence in first)])


def _best(
    asked: frozenset[str], found: Sequence[_Sentence], passages: Sequence[Passage]
) -> list[_Sentence]:
    """Sentences that share terms with the question, rare terms counting more, in reading order."""
    frequency = Counter(term for sentence in found for term in sentence.terms & asked)
    weight = {term: math.log1p(len(found) / count) for term, count in frequency.items()}

    def score(sentence: _Sentence) -> float:
        shared = sum(weight[term] for term in sentence.terms & asked)
        # Long sentences share more by chance; of two alike, the nearer passage wins.
        length = 1 + math.log1p(len(sentence.terms) / 12)
        return shared / length * (1 + max(0.0, passages[sentence.passage].score))

    ranked = sorted(found, key=score, reverse=True)[:_MOST_SENTENCES]
    if not ranked or score(ranked[0]) == 0:
        return []
    enough = score(ranked[0]) / 3
    kept = [sentence for sentence in ranked if score(sentence) >= enough]
    return sorted(kept, key=lambda sentence: (sentence.passage, sentence.order))


def _sentences(passages: Sequence[Passage]) -> Iterator[_Sentence]:
    """Each sentence once, though neighbouring passages overlap."""
    seen: set[str] = set()
    for number, passage in enumerate(passages):
        for order, text in enumerate(sentences(passage.chunk.shown)):
            if text not in seen:
                seen.add(text)
                yield _Sentence(text=text, passage=number, order=order, terms=terms(text))


def _quote(sentence: _Sentence) -> str:
    text = sentence.text
    if len(text) > _LONGEST_SENTENCE:
        text = text[: _LONGEST_SENTENCE - 1].rstrip() + "…"
    return f"- {text} [{sentence.passage + 1}]"
