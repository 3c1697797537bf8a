"""Which links of Markdown may stay in an answer."""

from __future__ import annotations

import re
from collections.abc import Set

# What stands behind a link's text: `(destination "title")`. Parentheses may be nested once.
_ONE = r"(?:[^\s()\\<>]|\\[!-~]|\((?:[^\s()\\<>]|\\[!-~])*\))"
_TITLE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\))"""
TARGET = re.compile(
    rf"\([ \t\n]*(?P<destination><[^<>\n]*>|{_ONE}*)(?:[ \t\n]+{_TITLE})?[ \t\n]*\)", re.DOTALL
)

# Into the page itself or beside it. Neither ":" nor "\" nor "&" nor a "/" in front: schemes,
# "//host", "/\host" and "&#104;ttps:" all lead elsewhere.
_BESIDE = re.compile(r"#[\w-]*|\w[\w./-]*(?:#[\w-]*)?", re.ASCII)
_WEB = re.compile(
    r"https?://(?P<host>[a-z0-9.-]+)(?::\d{1,5})?(?:[/?#][\w./?=&#%+,;@:~!-]*)?",
    re.ASCII | re.IGNORECASE,
)


def harmless(destination: str, *, hosts: Set[str]) -> bool:
    """Whether a link leads beside the page, or to one of the hosts (in small letters)."""
    plain = destination.removeprefix("<").removesuffix(">")
    if _BESIDE.fullmatch(plain):
        return True
    web = _WEB.fullmatch(plain)
    return web is not None and web["host"].lower() in hosts
