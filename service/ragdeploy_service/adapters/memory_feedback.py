"""Ratings of answers where there is one replica."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TTLCache

from ragdeploy_service.rag.errors import AnswerUnknown
from ragdeploy_service.rag.models import Rating
from ragdeploy_service.rag.ports.feedback import MOST_ANSWERS


@dataclass(slots=True)
class _Given:
    rating: Rating | None = None


class MemoryFeedback:
    """Implements `rag.ports.FeedbackStore` in the process, for all tenants together."""

    def __init__(
        self,
        *,
        ttl_seconds: float,
        most: int = MOST_ANSWERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember an answer for ``ttl_seconds``, and no more than ``most`` of them."""
        self._given: TTLCache[tuple[str, str], _Given] = TTLCache(most, ttl_seconds, timer=clock)

    def remember(self, tenant: str, request_id: str) -> None:
        # A caller may use an id of its own twice: it names one answer, and has one rating.
        self._given[tenant, request_id] = self._given.get((tenant, request_id)) or _Given()

    async def rate(self, tenant: str, request_id: str, rating: Rating) -> Rating | None:
        given = self._given.get((tenant, request_id))
        if given is None:
            raise AnswerUnknown
        before, given.rating = given.rating, rating
        return before

    async def close(self) -> None:
        self._given.clear()
