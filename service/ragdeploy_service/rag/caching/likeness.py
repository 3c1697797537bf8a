"""Whether two questions ask for the same: what an embedding model cannot tell.

To a model "Is it safe?" and "Is it not safe?" are neighbours, and so are "in
2019" and "in 2020" (GPTCache#694 gave out the opposite answer). These guards
only ever say no: what passes them must still be near in meaning.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+(?:[.\-/:@+#']\w+)*[+#]*")
_CLITIC = re.compile(r"['\u2019](s|re|m|ll|ve|d)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Scripts that put no blanks between words; these guards cannot read them.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)

_NEGATIONS = _words(
    "no not never none nobody nothing neither nor without cannot except unless lack lacks "
    "nicht kein keine nie ohne ne pas jamais sans sin nunca"
)

# Pairs whose exchange turns a question round, or asks for something else.
_OPPOSITES = _words(
    "enable disable enabled disabled allow deny allowed denied forbid start stop begin end "
    "open close on off in out up down add remove create delete install uninstall increase "
    "decrease raise lower reduce grow shrink more less most least fewer min max minimum "
    "maximum before after first last next previous old new true false always never all any "
    "some both either upgrade downgrade encrypt decrypt lock unlock read write input output "
    "send receive buy sell import export push pull public private internal external with left "
    "right above below over under inside outside hot cold good bad best worst safe unsafe "
    "legal illegal prevent advantage disadvantage advantages disadvantages pros cons same "
    "different from to"
)

_INTERROGATIVES = _words("who whom whose what which when where why how")

_NUMERALS = _words(
    "zero one two three four five six seven eight nine ten eleven twelve twenty hundred "
    "thousand million billion half double twice once third quarter dozen"
)


_TELLING = _OPPOSITES | _INTERROGATIVES | _NUMERALS


def may_ask_the_same(one: str, other: str) -> bool:
    """Whether nothing that these guards see tells two questions apart."""
    if _UNSPACED.search(one) or _UNSPACED.search(other):
        return False
    return _signature(one) == _signature(other)


def _signature(question: str) -> tuple[object, ...]:
    """What must be equal, and in the same order: "from Rome to Oslo" is not the way back."""
    words = _WORD.findall(_CLITIC.sub("", question))
    telling = [
        word.lower()
        for place, word in enumerate(words)
        if word.lower() in _TELLING or _is_name(word, place)
    ]
    negated = sum(word.lower() in _NEGATIONS or word.endswith("n't") for word in words)
    return telling, _NUMBER.findall(question), negated


def _is_name(word: str, place: int) -> bool:
    """Whether a word is a name: capitals, digits or punctuation in it; not a sentence's start."""
    if not word.isalpha():
        return not word.endswith("n't")
    ordinary = word.islower() or word == "I" or (place == 0 and word.istitle())
    return not ordinary
