"""Readers for text that needs no parsing but for its title."""

from __future__ import annotations

import re

from ragdeploy_service.documents.page import Page

_MARKDOWN_TITLE = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)
_MARKDOWN_UNDERLINED = re.compile(r"^(\S.*)\n=+\s*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE)
# A title of reStructuredText: a line, then as many of one punctuation mark below it.
_RST_TITLE = re.compile(r"^(\S.*)\n([=\-~^\"'`#*+:.])\2{2,}\s*$", re.MULTILINE)


def read_text(source: str) -> Page:
    """Take the text as it is; it has no title."""
    return Page(text=source)


def read_markdown(source: str) -> Page:
    """Keep the marks, which hardly disturb a model, and leave out the front matter."""
    title = None
    if front := _FRONT_MATTER.match(source):
        source = source[front.end() :]
        title = _FRONT_TITLE.search(front[1])
    title = title or _MARKDOWN_TITLE.search(source) or _MARKDOWN_UNDERLINED.search(source)
    return Page(text=source, title=title[1] if title else None)


def read_rst(source: str) -> Page:
    """Keep the marks; the first underlined line is the title."""
    title = _RST_TITLE.search(source)
    return Page(text=source, title=title[1].strip() if title else None)
