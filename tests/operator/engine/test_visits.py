"""Visits: the applications are asked what they have indexed, and only news is told."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ragdeploy_operator.engine.visits import Visits
from ragdeploy_operator.objects import Key
from ragdeploy_operator.status.facts import Index
from tests.support.process import free_port
from tests.support.waiting import eventually

DOCS, OTHER = Key("shop", "docs"), Key("shop", "other")


class Application:
    """An API that has indexed something."""

    def __init__(self):
        self.answer = web.json_response({"documents": 3, "generation": "a1", "more": "later"})
        self.asked = 0
        self.url = f"http://127.0.0.1:{free_port()}"

    async def reply(self, _request):
        self.asked += 1
        return self.answer.__class__(
            body=self.answer.body, status=self.answer.status, headers=self.answer.headers
        )

    async def _answer(self, request):
        return await self.reply(request)  # looked up now: tests put another in its place

    @asynccontextmanager
    async def running(self):
        app = web.Application()
        app.router.add_get("/health/index", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(self.url.rpartition(":")[2])).start()
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def docs():
    async with Application().running() as application:
        yield application


@asynccontextmanager
async def going_round(addresses, told, *, period=0.01):
    visits = Visits(lambda: addresses, on_change=told.append, period=period)
    task = asyncio.create_task(visits.run())
    try:
        yield visits
    finally:
        task.cancel()


async def until(probe):
    await asyncio.to_thread(eventually, probe, what="the visits", interval=0.01)


async def test_what_was_indexed_is_told_once_and_again_when_it_changes(docs):
    told = []
    async with going_round({DOCS: docs.url}, told) as visits:
        await until(lambda: docs.asked > 3)
        assert visits.of(DOCS) == Index(documents=3, generation="a1")
        assert told == [DOCS]
        docs.answer = web.json_response({"documents": 4, "generation": "a1"})
        await until(lambda: len(told) == 2)
        assert visits.of(DOCS) == Index(documents=4, generation="a1")


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500),
        web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        web.Response(text="<html>"),
        web.json_response({"documents": -1}),
        web.json_response({"documents": 1, "generation": "x" * 5000}),
    ],
)
async def test_an_answer_that_makes_no_sense_changes_nothing(docs, answer):
    told = []
    async with going_round({DOCS: docs.url}, told) as visits:
        await until(lambda: told)
        docs.answer, before = answer, docs.asked
        await until(lambda: docs.asked > before + 3)
        assert visits.of(DOCS) == Index(documents=3, generation="a1")
        assert told == [DOCS]


def refusal(detail):
    return web.json_response({"title": "Service Unavailable", "detail": detail}, status=503)


async def test_a_store_that_is_away_is_told_once_in_the_words_of_the_service(docs):
    told = []
    async with going_round({DOCS: docs.url}, told) as visits:
        await until(lambda: told)
        docs.answer, before = refusal("The vector store does not answer."), docs.asked
        await until(lambda: docs.asked > before + 4)
        away = Index(documents=3, generation="a1", trouble="The vector store does not answer.")
        assert visits.of(DOCS) == away
        assert told == [DOCS, DOCS]
        docs.answer = web.json_response({"documents": 3, "generation": "a1"})
        await until(lambda: len(told) == 3)
        assert visits.of(DOCS) == Index(documents=3, generation="a1")


async def test_one_refusal_alone_is_not_told(docs):
    told = []
    async with going_round({DOCS: docs.url}, told) as visits:
        await until(lambda: told)
        fine = docs.answer
        once = iter([refusal("A moment.")])
        reply = docs.reply

        async def refuses_once(request):
            docs.answer = next(once, fine)
            return await reply(request)

        docs.reply = refuses_once
        before = docs.asked
        await until(lambda: docs.asked > before + 4)
        assert visits.of(DOCS).trouble is None
        assert told == [DOCS]


async def test_one_that_does_not_answer_keeps_no_other_waiting(docs):
    told = []
    nobody = f"http://127.0.0.1:{free_port()}"
    async with going_round({OTHER: nobody, DOCS: docs.url}, told) as visits:
        await until(lambda: docs.asked > 3)
        assert visits.of(OTHER) is None
        visits.forget(DOCS)
        assert visits.of(DOCS) is None


async def test_a_period_of_nothing_means_no_visits(docs):
    async with going_round({DOCS: docs.url}, [], period=0):
        await asyncio.sleep(0.1)
        assert docs.asked == 0
