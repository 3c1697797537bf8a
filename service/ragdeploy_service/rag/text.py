"""Brings text from anywhere into one form, so that equal text is equal in bytes."""

from __future__ import annotations

import re
import unicodedata

# C0 and C1 controls but tab and newline; a form feed or vertical tab separates words.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# A file of blanks must not become chunks of blanks.
_LONG_BLANK = re.compile(r"(?<!\s)(\s{1000})\s+")


def normalise(text: str) -> str:
    r"""Return the text in Unicode's form NFC, with "\n" for line ends and no control characters.

    Half a surrogate pair, which no encoder takes, becomes U+FFFD. White space
    goes on for at most 1,000 characters. To normalise twice changes nothing.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text))
    return _LONG_BLANK.sub(r"\1", unicodedata.normalize("NFC", text))


def canonical(question: str) -> str:
    """Bring a question into the form that stands for all its spellings.

    Only blanks and Unicode composition: case tells "US" from "us".
    """
    return " ".join(normalise(question).split())
