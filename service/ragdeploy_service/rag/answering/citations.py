"""Which sources an answer cites, as in [1]."""

from __future__ import annotations

import re

_CITATION = re.compile(r"\[(\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)\]")


def cited(text: str, *, sources: int) -> tuple[int, ...]:
    """Numbers of the sources that a text cites, each once, in the order of the text."""
    numbers = (
        int(number) for match in _CITATION.finditer(text) for number in re.findall(r"\d+", match[1])
    )
    return tuple(dict.fromkeys(number for number in numbers if 1 <= number <= sources))


def expanded(numbers: str) -> list[int]:
    """Read "1, 3-5" as 1, 3, 4, 5."""
    found: list[int] = []
    for part in re.split(r"\s*[,，、;]\s*", numbers):
        first, *last = (int(number) for number in re.split(r"\s*[-\u2013]\s*", part))
        found += range(first, (last[-1] if last else first) + 1)
    return list(dict.fromkeys(found))
