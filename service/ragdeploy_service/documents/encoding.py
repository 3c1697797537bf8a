"""From bytes to text."""

from __future__ import annotations

import charset_normalizer

from ragdeploy_service.documents.page import Unreadable


def decode(data: bytes) -> str:
    """Decode UTF-8, else guess as browsers do: old Chinese and Western pages are common.

    Raises:
        Unreadable: it is not text.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if b"\x00" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("is not text")
    best = charset_normalizer.from_bytes(data).best()
    if best is None:
        raise Unreadable("is not text in any known encoding")
    return str(best)
