"""What can be told of an answer while it is being made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ragdeploy_service.rag.models import CacheState, Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The passages that the answer rests on, best first, and whether it is there already."""

    passages: tuple[Passage, ...]
    cached: CacheState = CacheState.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The next characters of the answer."""

    text: str


Progress: TypeAlias = Found | Piece

Listener: TypeAlias = Callable[[Progress], None]
"""Called with each step as it happens; it must return at once and raise nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whom the progress of an answer is told, and whether its text is worth streaming for."""

    tell: Listener
    streams: bool
