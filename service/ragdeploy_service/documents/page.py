"""What a reader finds in a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A text and its title; ``url`` is where the page itself says that it lives."""

    text: str
    title: str | None = None
    url: str | None = None


class Unreadable(Exception):
    """A file gives no text; the message says why, so that the file's name may stand before it."""
