"""Remembers which answers were given to whom, and how they were rated."""

from __future__ import annotations

from typing import Protocol

from ragdeploy_service.rag.models import Rating


class FeedbackStore(Protocol):
    """Remembers answers by their request ids for a time, and one rating of each.

    Of a tenant's answers at most `MOST_ANSWERS` are remembered, the latest. Nothing of a question
    or an answer is kept.
    """

    def remember(self, tenant: str, request_id: str) -> None:
        """An answer is given. It can be rated a moment later: nobody waits for this."""
        ...

    async def rate(self, tenant: str, request_id: str, rating: Rating) -> Rating | None:
        """Rate an answer; the rating that this one replaces, None if it is the first.

        Raises:
            AnswerUnknown: the tenant was given no such answer, or too long ago.
            FeedbackUnavailable: nobody can say now.

        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


# About 100 bytes each.
MOST_ANSWERS = 100_000
