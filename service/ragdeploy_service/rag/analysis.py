"""Cuts text into the words that BM25 counts, in the same way for documents and for questions.

Milvus has analyzers of its own, but which ones depends on its version, and Milvus Lite has two
of them. Doing it here makes a search give the same passages on each.
"""

from __future__ import annotations

import re
import unicodedata

# Letters and digits of any script; the underscore parts words, as in snake_case.
_WORD = re.compile(r"[^\W_]+")

# Scripts that are written without blanks: Chinese characters, Hiragana, Katakana, Hangul.
_CJK = re.compile(
    "["
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
    "\U00020000-\U0003ffff"
    "]+"
)


def words(text: str) -> list[str]:
    """Cut text into words of small letters and digits, in their order.

    A run of Chinese, Japanese or Korean characters gives each pair of neighbours: 香蕉树 is 香蕉
    and 蕉树. No dictionary is needed, and retrieval is about as good as with one (Nie, Gao,
    Zhang and Zhou, "On the use of words and n-grams for Chinese information retrieval",
    IRAL 2000); Lucene's CJKAnalyzer does the same.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    found: list[str] = []
    for match in _WORD.finditer(folded):
        found += _parts(match.group())
    return found


def _parts(word: str) -> list[str]:
    parts: list[str] = []
    end = 0
    for run in _CJK.finditer(word):
        if run.start() > end:
            parts.append(word[end : run.start()])
        parts += _pairs(run.group())
        end = run.end()
    if end < len(word):
        parts.append(word[end:])
    return parts


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
