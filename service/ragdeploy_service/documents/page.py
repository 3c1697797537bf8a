"""What a reader finds in a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A text and its title; ``url`` is where the page itself says that it lives."""

    text: str
    title: str | None = None
    url: str | None = None
