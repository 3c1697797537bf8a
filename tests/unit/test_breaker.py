"""The breaker: quiet while a part fails, careful when it may be back."""

from __future__ import annotations

import asyncio

import pytest

from ragdeploy_service.rag.concurrency.breaker import Breaker
from ragdeploy_service.rag.errors import LanguageModelUnavailable


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("model", failure=LanguageModelUnavailable, failures=2, seconds=10, clock=clock)


def fail(breaker):
    with pytest.raises(LanguageModelUnavailable, match="down"), breaker.call():
        raise LanguageModelUnavailable("down")


def is_left_alone(breaker):
    with pytest.raises(LanguageModelUnavailable, match="left alone"), breaker.call():
        pytest.fail("it was called")
    return True


def succeed(breaker):
    with breaker.call():
        pass


def test_a_part_that_fails_in_a_row_is_left_alone(breaker):
    fail(breaker)
    fail(breaker)
    assert is_left_alone(breaker)


def test_a_success_begins_the_count_anew(breaker):
    fail(breaker)
    succeed(breaker)
    fail(breaker)
    succeed(breaker)


def test_an_error_of_another_kind_tells_nothing(breaker):
    fail(breaker)
    with pytest.raises(ValueError), breaker.call():
        raise ValueError
    fail(breaker)
    assert is_left_alone(breaker)


async def test_a_cancelled_call_tells_nothing(breaker, clock):
    fail(breaker)
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    fail(breaker)
    assert is_left_alone(breaker)
    clock.now = 20
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    succeed(breaker)  # somebody else may look


def test_one_call_looks_whether_the_part_is_back(breaker, clock):
    fail(breaker)
    fail(breaker)
    clock.now = 20
    with breaker.call():
        assert is_left_alone(breaker)  # for all others
    succeed(breaker)


def test_a_part_that_is_not_back_is_left_alone_again(breaker, clock):
    fail(breaker)
    fail(breaker)
    clock.now = 20
    fail(breaker)
    assert is_left_alone(breaker)
    clock.now = 40
    succeed(breaker)
    succeed(breaker)


def test_a_breaker_for_no_time_never_opens(clock):
    breaker = Breaker("model", failure=LanguageModelUnavailable, failures=1, seconds=0, clock=clock)
    for _ in range(5):
        fail(breaker)


def test_replicas_do_not_come_back_at_the_same_moment(clock):
    ends = set()
    for _ in range(50):
        breaker = Breaker(
            "model", failure=LanguageModelUnavailable, failures=1, seconds=10, clock=clock
        )
        fail(breaker)
        clock.now = 7.4
        assert breaker.is_open
        clock.now = 12.6
        assert not breaker.is_open
        clock.now = 10
        ends.add(breaker.is_open)
        clock.now = 0
    assert ends == {True, False}
