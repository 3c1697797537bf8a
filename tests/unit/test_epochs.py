"""Questions that wait for the documents they must know."""

from __future__ import annotations

import asyncio

import pytest

from ragdeploy_service.adapters.sqlite_jobs import SqliteJobs
from ragdeploy_service.rag.errors import InvalidField
from ragdeploy_service.rag.jobs.epochs import EpochGate
from tests.support.domain import ELSEWHERE, HERE


class CountingJobs(SqliteJobs):
    """Counts how often it is asked."""

    looks = 0

    async def epochs(self, collection):
        self.looks += 1
        return await super().epochs(collection)


@pytest.fixture
async def queue(tmp_path):
    queue = CountingJobs(tmp_path / "jobs.db")
    yield queue
    await queue.close()


async def end_next(queue):
    await queue.finish(await queue.take(), errors=[])


async def test_a_question_passes_once_its_jobs_have_ended(queue):
    gate = EpochGate(queue)
    job = await queue.submit(HERE)
    await queue.submit(HERE)  # a later one does not matter
    waiting = asyncio.create_task(gate.wait(HERE, job.epoch))
    while queue.looks < 3:  # noqa: ASYNC110 - it has asked more than once, and waits on
        await asyncio.sleep(0.01)
    assert not waiting.done()
    await end_next(queue)
    await waiting


async def test_an_epoch_that_is_reached_costs_one_look(queue):
    job = await queue.submit(HERE)
    await end_next(queue)
    await EpochGate(queue).wait(HERE, job.epoch)
    assert queue.looks == 1


async def test_a_job_that_was_never_accepted_is_not_waited_for(queue):
    await queue.submit(ELSEWHERE)
    with pytest.raises(InvalidField, match="0"):
        await EpochGate(queue).wait(HERE, 1)


async def test_however_many_wait_one_of_them_asks(queue):
    gate = EpochGate(queue)
    job = await queue.submit(HERE)
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(gate.wait(HERE, job.epoch))
        while queue.looks < 50:  # noqa: ASYNC110 - each asks once by itself
            await asyncio.sleep(0)
        while queue.looks < 53:  # noqa: ASYNC110 - then one asks for all
            await asyncio.sleep(0)
        await end_next(queue)
    assert queue.looks < 50 + 15
