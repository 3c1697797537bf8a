"""Finds sentences and words in English and Chinese, and tells the two apart.

Any other language that puts blanks between words does as well as English does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Chinese characters and the Japanese syllables between them: scripts without blanks.
_WITHOUT_BLANKS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"(?P<run>[{_WITHOUT_BLANKS}]+)|[^\W{_WITHOUT_BLANKS}]+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LETTERS = re.compile(rf"[^\W\d_{_WITHOUT_BLANKS}]+")

# A full stop ends a sentence before a blank, the Chinese one always does, and the quote or bracket
# that closes behind it belongs to it. An empty line and the next point of a list end one too.
_END = re.compile(
    r"""
    [.!?]+["'\u2019\u201d)\]]*(?=\s)
    | [。！？；…]+["'\u2019\u201d）」』】》]*
    | \n(?=\s*\n|\s*[-*•]\s)
    """,
    re.VERBOSE,
)

_STOP = """
    a about am an and any are as at be been by can could did do does for from had has have how i
    if in into is it its me my of on or our should so than that the their them then there these
    they this those to was we were what when where which who whom whose why will with would you
    your
"""
_STOP_WORDS = frozenset(_STOP.split())
# Words that a Chinese question is put with, longest first. Of single characters only those that
# hardly ever are part of another word.
_CHINESE_STOP = re.compile(
    "为什么|是不是|有没有|能不能|什么样|多少|什么|怎么|怎样|如何|为何|哪些|哪个|哪里|是否|可以|"
    "请问|我们|你们|他们|这个|那个|[吗呢吧啊的了么]"
)


def is_chinese(text: str) -> bool:
    """Whether a person would say that this is written in Chinese.

    A Chinese character says about as much as a word of letters, so they are
    counted against words: "什么是 Kubernetes operator？" is Chinese, "What
    does 北京 mean?" is not.
    """
    if _KANA.search(text):
        return False
    return len(_HAN.findall(text)) > len(_LETTERS.findall(text))


def sentences(text: str) -> Iterator[str]:
    """Cut a text into its sentences, with single blanks in them; none is empty."""
    start = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        if sentence := " ".join(text[start:end].split()):
            yield sentence
        start = end


def terms(text: str) -> frozenset[str]:
    """Words of a text without those that say nothing; Chinese in pairs of characters.

    Chinese does not mark words, and pairs of neighbouring characters come
    close to them (the bigram index of search engines for Chinese).
    """
    found: set[str] = set()
    for match in _WORD.finditer(text.lower()):
        if match["run"]:
            for run in _CHINESE_STOP.split(match[0]):
                found.update(run[i : i + 2] for i in range(len(run) - 1 or 1))
        elif match[0] not in _STOP_WORDS:
            found.add(_stem(match[0]))
    return frozenset(found)


def _stem(word: str) -> str:
    """Cut a plural off, so that "replicas" finds "replica"."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
