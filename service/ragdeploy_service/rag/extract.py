"""Answers by quoting: the sentences of the passages that share most with the question.

It needs no model, so it is what the service says without one, and what is
left when the one it has does not answer. It never claims to be more.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragdeploy_service.rag.models import Passage

_MOST_SENTENCES = 3
_LONGEST_SENTENCE = 400  # characters; code and tables have no full stops

# A full stop ends a sentence before a blank, the Chinese one always does; so does an empty line.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])\s*|\n\s*\n|\n(?=\s*[-*•])")
_WORD = re.compile(r"[a-z0-9_]+|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+", re.IGNORECASE)
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")

_STOP = """
    a about am an and any are as at be been by can could did do does for from had has have how i
    if in into is it its me my of on or our should so than that the their them then there these
    they this those to was we were what when where which who whom whose why will with would you
    your 什么 怎么 怎样 如何 为什 么样 哪些 哪个 是否 可以 吗 呢 的 了 是 在
"""
_STOP_WORDS = frozenset(_STOP.split())


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
    wording = _CHINESE if _HAN.search(question) else _ENGLISH
    if not passages:
        return wording.nothing
    asked = _terms(question)
    sentences = list(_sentences(passages))
    chosen = _best(asked, sentences, passages)
    if chosen:
        return "\n".join([wording.found, *(_quote(sentence) for sentence in chosen)])
    first = [sentence for sentence in sentences if sentence.passage == 0][:_MOST_SENTENCES]
    return "\n".join([wording.nearest, *(_quote(sentence) for sentence in first)])


def _best(
    asked: frozenset[str], sentences: Sequence[_Sentence], passages: Sequence[Passage]
) -> list[_Sentence]:
    """Sentences that share terms with the question, rare terms counting more, in reading order."""
    frequency = Counter(term for sentence in sentences for term in sentence.terms & asked)
    weight = {term: math.log1p(len(sentences) / count) for term, count in frequency.items()}

    def score(sentence: _Sentence) -> float:
        shared = sum(weight[term] for term in sentence.terms & asked)
        # Long sentences share more by chance; of two alike, the nearer passage wins.
        length = 1 + math.log1p(len(sentence.terms) / 12)
        return shared / length * (1 + max(0.0, passages[sentence.passage].score))

    ranked = sorted(sentences, key=score, reverse=True)[:_MOST_SENTENCES]
    if not ranked or score(ranked[0]) == 0:
        return []
    enough = score(ranked[0]) / 3
    kept = [sentence for sentence in ranked if score(sentence) >= enough]
    return sorted(kept, key=lambda sentence: (sentence.passage, sentence.order))


def _sentences(passages: Sequence[Passage]) -> Iterator[_Sentence]:
    """Each sentence once, though neighbouring passages overlap."""
    seen: set[str] = set()
    for number, passage in enumerate(passages):
        for order, part in enumerate(_SENTENCE_END.split(passage.chunk.shown)):
            text = " ".join(part.split())
            if text and text not in seen:
                seen.add(text)
                yield _Sentence(text=text, passage=number, order=order, terms=_terms(text))


def _terms(text: str) -> frozenset[str]:
    """Words of a text without those that say nothing; Chinese in pairs of characters.

    Chinese does not mark words, and pairs of neighbouring characters come
    close to them (the bigram index of search engines for Chinese).
    """
    terms: set[str] = set()
    for match in _WORD.finditer(text.lower()):
        word = match[0]
        if _HAN.match(word):
            pairs = {word[i : i + 2] for i in range(max(1, len(word) - 1))}
            terms.update(pairs - _STOP_WORDS)
        elif word not in _STOP_WORDS:
            terms.add(_stem(word))
    return frozenset(terms)


def _stem(word: str) -> str:
    """Cut a plural off, so that "replicas" finds "replica"."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _quote(sentence: _Sentence) -> str:
    text = sentence.text
    if len(text) > _LONGEST_SENTENCE:
        text = text[: _LONGEST_SENTENCE - 1].rstrip() + "…"
    return f"- {text} [{sentence.passage + 1}]"
