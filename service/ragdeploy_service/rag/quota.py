"""How much is used and how much is left, as arithmetic: no clock, no store.

Requests and tokens per minute follow the generic cell rate algorithm (GCRA; ITU-T
I.371, annex A, in its form of virtual scheduling): one number says when a caller
will have its whole minute's quota back, and every use moves it further away. So a
caller may use a minute's quota at once, and then as fast as it comes back.

What a language model costs is known only afterwards. Tokens are therefore asked
for before they are used, "is there any left?", and counted after, even beyond what
was left; the caller then waits until its debt is gone.
"""

from __future__ import annotations

import math
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ragdeploy_service.rag.access import Limits, Period

MINUTE = 60.0
# Sums of seconds since 1970 are exact to a quarter of a microsecond only, and add up.
TOLERANCE = 0.001


class Policy(StrEnum):
    """The names of the limits, as callers see them."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a caller has used, in numbers that only grow: of two, the greater is the truer.

    ``requests`` and ``tokens`` say when the quota is whole again, in seconds
    since 1970. ``spent`` counts the tokens of the budget's period that
    ``period`` names.
    """

    requests: float = 0.0
    tokens: float = 0.0
    spent: int = 0
    period: str = ""

    def spent_in(self, period: str) -> int:
        """Tokens that were spent in a period."""
        return self.spent if self.period == period else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The state of one limit: ``remaining`` of ``limit``, for ``window`` seconds.

    ``more_in`` is when there will be more than ``remaining``, in whole seconds, at least 1.
    """

    policy: Policy
    limit: int
    window: int
    remaining: int
    more_in: int


def used(back: float, *, units: float, limit: int, now: float) -> float:
    """When the quota is whole again after ``units`` more of ``limit`` a minute."""
    return max(back, now) + units * (MINUTE / limit)


def fits(back: float, *, now: float) -> bool:
    """Whether that is not more than a minute away: then the use was within the limit."""
    return back <= now + MINUTE + TOLERANCE


def admitted(counters: Counters, limits: Limits, *, now: float) -> Counters | None:
    """Count a request; None if it is one too many, which counts nothing."""
    limit = limits.requests_per_minute
    if limit is None:
        return counters
    back = used(counters.requests, units=1, limit=limit, now=now)
    return replace(counters, requests=back) if fits(back, now=now) else None


def charged(counters: Counters, limits: Limits, *, tokens: int, now: float) -> Counters:
    """Count tokens that were used."""
    if limits.tokens_per_minute is not None:
        back = used(counters.tokens, units=tokens, limit=limits.tokens_per_minute, now=now)
        counters = replace(counters, tokens=back)
    if limits.budget is not None:
        period = period_at(limits.budget.period, now)
        spent = counters.spent_in(period) + tokens
        counters = replace(counters, spent=spent, period=period)
    return counters


def quotas(counters: Counters, limits: Limits, *, now: float) -> tuple[Quota, ...]:
    """Say what is left of every limit."""
    found = []
    if limits.requests_per_minute is not None:
        found.append(_rate(Policy.REQUESTS, counters.requests, limits.requests_per_minute, now))
    if limits.tokens_per_minute is not None:
        found.append(_rate(Policy.TOKENS, counters.tokens, limits.tokens_per_minute, now))
    if (budget := limits.budget) is not None:
        begin, end = bounds(budget.period, now)
        spent = counters.spent_in(period_at(budget.period, now))
        found.append(
            Quota(
                policy=Policy.BUDGET,
                limit=budget.tokens,
                window=round(end - begin),
                remaining=max(0, budget.tokens - spent),
                more_in=max(1, math.ceil(end - now)),
            )
        )
    return tuple(found)


def _rate(policy: Policy, back: float, limit: int, now: float) -> Quota:
    each = MINUTE / limit
    room = MINUTE - max(0.0, back - now)
    remaining = min(limit, max(0, math.floor((room + TOLERANCE) / each)))
    wait = MINUTE if remaining == limit else (remaining + 1) * each - room
    return Quota(
        policy=policy,
        limit=limit,
        window=round(MINUTE),
        remaining=remaining,
        more_in=max(1, math.ceil(wait - TOLERANCE)),
    )


def bounds(period: Period, now: float) -> tuple[float, float]:
    """When the period that ``now`` is in began and ends, in seconds since 1970."""
    begin = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = 1
    if period is Period.MONTH:
        begin = begin.replace(day=1)
        days = monthrange(begin.year, begin.month)[1]
    return begin.timestamp(), (begin + timedelta(days=days)).timestamp()


def period_at(period: Period, now: float) -> str:
    """Name the period that ``now`` is in: ``2026-11-22`` or ``2026-11``."""
    written = datetime.fromtimestamp(now, UTC).date().isoformat()
    return written if period is Period.DAY else written[: len("2026-11")]
