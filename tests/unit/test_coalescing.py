from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ragdeploy_service.rag.concurrency.coalescing import Coalescer


class Store:
    """Answers each item with its double when it is let; remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    async def search(self, key: str, items: Sequence[int]) -> list[int]:
        self.calls.append((key, list(items)))
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return [item * 2 for item in items]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def searches(store: Store) -> Coalescer[str, int, int]:
    return Coalescer(store.search, concurrency=1, most=3)


async def test_an_idle_store_is_asked_at_once(store, searches):
    store.may_answer.set()
    assert await searches.submit("a", 1) == 2
    assert store.calls == [("a", [1])]


async def test_what_waits_for_the_same_kind_of_search_goes_out_together(store, searches):
    first = asyncio.create_task(searches.submit("a", 1))
    await turns()
    others = [asyncio.create_task(searches.submit("a", number)) for number in (2, 3)]
    await turns()
    store.may_answer.set()
    assert [await task for task in (first, *others)] == [2, 4, 6]
    assert store.calls == [("a", [1]), ("a", [2, 3])]


async def test_searches_of_different_kinds_do_not_mix_and_none_is_passed_over(store, searches):
    asks = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("a", 5), ("a", 6)]
    tasks = [asyncio.create_task(searches.submit(*ask)) for ask in asks]
    store.may_answer.set()
    assert [await task for task in tasks] == [2, 4, 6, 8, 10, 12]
    assert store.calls == [("a", [1, 2, 4]), ("b", [3]), ("a", [5, 6])]


async def test_a_failure_reaches_all_who_asked_and_no_one_else(store, searches):
    store.error = ConnectionError("gone")
    tasks = [asyncio.create_task(searches.submit("a", number)) for number in (1, 2)]
    store.may_answer.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes == [store.error, store.error]
    store.error = None
    assert await searches.submit("a", 3) == 6


async def test_who_gave_up_while_waiting_is_not_searched_for(store, searches):
    first = asyncio.create_task(searches.submit("a", 1))
    await turns()
    given_up, patient = (asyncio.create_task(searches.submit("a", number)) for number in (2, 3))
    await turns()
    given_up.cancel()
    store.may_answer.set()
    assert await patient == 6
    assert await first == 2
    assert store.calls == [("a", [1]), ("a", [3])]


async def test_who_gives_up_during_a_search_takes_nothing_from_the_others(store, searches):
    given_up, patient = (asyncio.create_task(searches.submit("a", number)) for number in (1, 2))
    await turns()
    given_up.cancel()
    store.may_answer.set()
    assert await patient == 4
