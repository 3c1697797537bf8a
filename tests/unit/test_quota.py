"""What callers may use: the arithmetic of GCRA and of budgets, without a clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_service.rag.access import Budget, Limits, Period
from ragdeploy_service.rag.quota import (
    MINUTE,
    Counters,
    Policy,
    admitted,
    bounds,
    charged,
    period_at,
    quotas,
)

UNUSED = Counters()
NOON = datetime(2026, 2, 27, 12, tzinfo=UTC).timestamp()


def requests(limit: int) -> Limits:
    return Limits(requests_per_minute=limit)


def left(counters: Counters, limits: Limits, now: float) -> int:
    [quota] = quotas(counters, limits, now=now)
    return quota.remaining


def burst(limits: Limits, now: float, counters: Counters = UNUSED) -> tuple[int, Counters]:
    """Ask until nothing is let in; how many were."""
    count = 0
    while (after := admitted(counters, limits, now=now)) is not None:
        counters, count = after, count + 1
    return count, counters


@pytest.mark.parametrize("limit", [1, 3, 7, 10, 59, 1000])
def test_a_minutes_quota_may_be_used_at_once_and_not_one_more(limit):
    count, counters = burst(requests(limit), NOON)
    assert count == limit
    assert left(counters, requests(limit), NOON) == 0


def test_then_requests_come_back_one_by_one():
    _, counters = burst(requests(10), NOON)
    assert burst(requests(10), NOON + 5.9, counters)[0] == 0
    assert burst(requests(10), NOON + 6, counters)[0] == 1
    assert burst(requests(10), NOON + 31, counters)[0] == 5
    assert burst(requests(10), NOON + 3600, counters)[0] == 10


def test_a_refused_request_costs_nothing():
    _, counters = burst(requests(10), NOON)
    for _ in range(100):
        assert admitted(counters, requests(10), now=NOON) is None
    assert burst(requests(10), NOON + 6, counters)[0] == 1


@given(
    limit=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 30, allow_subnormal=False), min_size=1, max_size=80),
)
def test_in_no_minute_are_there_more_than_the_limit_and_what_came_back(limit, pauses):
    limits, counters, now, times = requests(limit), Counters(), NOON, []
    for pause in pauses:
        now += pause
        expected = left(counters, limits, now)
        after = admitted(counters, limits, now=now)
        assert (after is not None) == (expected > 0)
        if after is not None:
            assert left(after, limits, now) == expected - 1
            counters = after
            times.append(now)
    for first in range(len(times)):
        for last in range(first, len(times)):
            elapsed = times[last] - times[first]
            assert last - first + 1 <= limit * (1 + (elapsed + 0.01) / MINUTE) + 1e-6


@given(limit=st.integers(1, 10_000), used=st.integers(0, 30_000), later=st.floats(0, 200))
def test_more_is_there_when_it_was_said(limit, used, later):
    limits = Limits(tokens_per_minute=limit)
    counters = charged(Counters(), limits, tokens=used, now=NOON)
    now = NOON + later
    [quota] = quotas(counters, limits, now=now)
    assert 0 <= quota.remaining <= limit
    assert quota.more_in >= 1
    if quota.remaining < limit:
        assert left(counters, limits, now + quota.more_in) > quota.remaining


def test_tokens_may_be_overdrawn_and_the_debt_takes_its_time():
    limits = Limits(tokens_per_minute=1000)
    counters = charged(Counters(), limits, tokens=3000, now=NOON)
    [quota] = quotas(counters, limits, now=NOON)
    assert (quota.remaining, quota.more_in) == (0, 121)
    assert left(counters, limits, NOON + 180) == 1000


def test_a_budget_is_what_is_left_of_the_day():
    limits = Limits(budget=Budget(tokens=100, period=Period.DAY))
    counters = charged(Counters(), limits, tokens=70, now=NOON)
    [quota] = quotas(counters, limits, now=NOON)
    assert quota.policy is Policy.BUDGET
    assert (quota.limit, quota.remaining) == (100, 30)
    assert (quota.window, quota.more_in) == (86_400, 43_200)
    counters = charged(counters, limits, tokens=70, now=NOON)
    assert left(counters, limits, NOON) == 0
    assert left(counters, limits, NOON + 43_199) == 0
    assert left(counters, limits, NOON + 43_200) == 100


def test_a_month_is_as_long_as_it_is():
    limits = Limits(budget=Budget(tokens=100, period=Period.MONTH))
    [quota] = quotas(Counters(), limits, now=NOON)
    assert quota.window == 28 * 86_400
    assert quota.more_in == 86_400 + 43_200


@given(
    st.sampled_from(Period), st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1))
)
def test_every_moment_is_in_the_period_that_it_names(period, moment):
    now = moment.timestamp()
    begin, end = bounds(period, now)
    assert begin <= now < end
    assert period_at(period, begin) == period_at(period, end - 1) == period_at(period, now)
    assert period_at(period, end) != period_at(period, now)


def test_where_nothing_is_limited_nothing_is_counted():
    assert admitted(Counters(), Limits(), now=NOON) == Counters()
    assert charged(Counters(), Limits(), tokens=1000, now=NOON) == Counters()
    assert quotas(Counters(), Limits(), now=NOON) == ()
