"""Job queues: nothing accepted is lost, nothing is taken in without bound."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ragdeploy_service.adapters.redis.client import connect
from ragdeploy_service.adapters.redis.jobs import RedisJobs
from ragdeploy_service.adapters.sqlite_jobs import SqliteJobs
from ragdeploy_service.rag.errors import (
    ConfigurationError,
    IdempotencyConflict,
    InvalidPage,
    JobEnded,
    JobNotFailed,
    JobQueueFull,
    JobQueueUnavailable,
)
from ragdeploy_service.rag.models import Document, Epochs, JobState
from ragdeploy_service.rag.ports.job_queue import GIVEN_UP
from ragdeploy_service.settings import ServiceSettings
from tests.support.domain import ELSEWHERE, HERE

DOCUMENTS = [
    Document(id="one", text="香蕉 banana 😀", metadata={"source": "a.md", "deep": [1, None]}),
    Document(id="two", text="Zwei"),
]


@pytest.fixture
def new_redis_jobs(redis_server):
    """Makes queues on one Redis, as several services would."""
    settings = ServiceSettings(redis_url=redis_server.url)

    def new(**options):
        redis = connect(settings, timeout=5, connections=4)
        return RedisJobs(redis, namespace="test:{jobs}", **{"lease_seconds": 0.3} | options)

    return new


@pytest.fixture
def new_sqlite_jobs(tmp_path):
    """Opens the queue in one file, as a service does that was started again."""

    def new(**options):
        return SqliteJobs(tmp_path / "jobs.db", **options)

    return new


@pytest.fixture(params=["sqlite", "redis"])
def new_queue(request):
    return request.getfixturevalue(f"new_{request.param}_jobs")


@pytest.fixture
async def queue(new_queue):
    queue = new_queue(most_attempts=2)
    yield queue
    await queue.close()


async def take(queue):
    """The next job; there is one, so it comes."""
    async with asyncio.timeout(10):
        while (lease := await queue.take()) is None:
            pass
    return lease


async def state(queue, job_id):
    job = await queue.get(job_id)
    return job.state


async def test_documents_come_out_as_they_went_in(queue):
    job = await queue.submit(HERE, DOCUMENTS)
    lease = await take(queue)
    assert (lease.job_id, lease.collection) == (job.id, HERE)
    assert list(lease.documents) == DOCUMENTS
    assert lease.attempt == 1


async def test_jobs_come_out_in_their_order(queue):
    jobs = [await queue.submit(HERE, DOCUMENTS) for _ in range(3)]
    assert [(await take(queue)).job_id for _ in range(3)] == [job.id for job in jobs]


async def test_a_job_goes_from_queued_over_running_to_succeeded(queue):
    job = await queue.submit(HERE, DOCUMENTS)
    assert (job.state, job.total, job.done) == (JobState.QUEUED, 2, 0)
    assert await queue.get(job.id) == job
    lease = await take(queue)
    assert await state(queue, job.id) is JobState.RUNNING
    assert await queue.renew(lease, done=1, total=2)
    assert (await queue.get(job.id)).done == 1
    assert await queue.finish(lease, errors=["Document 'two' has no text."])
    ended = await queue.get(job.id)
    assert (ended.state, ended.done, ended.attempts) == (JobState.SUCCEEDED, 2, 1)
    assert ended.errors == ("Document 'two' has no text.",)
    assert ended.created_at <= ended.started_at <= ended.finished_at
    assert await queue.pending() == 0


async def test_an_unknown_job_is_none(queue):
    assert await queue.get("0" * 32) is None


async def test_an_empty_queue_says_so_after_a_moment(queue):
    assert await queue.take() is None


async def test_a_job_that_comes_while_somebody_waits_is_taken_at_once(queue):
    waiting = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    job = await queue.submit(HERE, DOCUMENTS)
    assert (await waiting).job_id == job.id


async def test_a_job_handed_back_is_taken_again_as_if_for_the_first_time(queue):
    job = await queue.submit(HERE, DOCUMENTS)
    assert await queue.hand_back(await take(queue))
    assert await state(queue, job.id) is JobState.QUEUED
    again = await take(queue)
    assert (again.job_id, again.attempt) == (job.id, 1)


async def test_a_failed_attempt_is_repeated_and_the_last_one_is_the_end(queue):
    job = await queue.submit(HERE, DOCUMENTS)
    assert await queue.fail(await take(queue), error="first") is JobState.QUEUED
    assert (await queue.get(job.id)).errors == ("first",)
    assert await queue.fail(await take(queue), error="second") is JobState.FAILED
    ended = await queue.get(job.id)
    assert (ended.state, ended.errors, ended.attempts) == (JobState.FAILED, ("second",), 2)
    assert ended.finished_at is not None
    assert await queue.pending() == 0


async def test_a_full_queue_says_when_to_come_again(new_queue):
    queue = new_queue(most_jobs=2)
    await queue.submit(HERE, DOCUMENTS)
    await queue.submit(HERE, DOCUMENTS)
    with pytest.raises(JobQueueFull) as full:
        await queue.submit(HERE, DOCUMENTS)
    assert full.value.retry_after > 0
    await queue.finish(await take(queue), errors=[])
    await queue.submit(HERE, DOCUMENTS)
    await queue.close()


async def test_a_cancelled_job_ends_at_once_and_its_worker_loses_it(queue):
    waiting, running = [await queue.submit(HERE, DOCUMENTS) for _ in range(2)]
    await queue.hand_back(await take(queue))
    lease = await take(queue)
    running, waiting = (waiting, running) if lease.job_id == waiting.id else (running, waiting)
    for job in (waiting, running):
        assert (await queue.cancel(job)).state is JobState.CANCELLED
        assert (await queue.cancel(job)).state is JobState.CANCELLED  # as often as one likes
    assert not await queue.renew(lease, done=1, total=2)
    assert not await queue.finish(lease, errors=[])
    assert await queue.fail(lease, error="late") is None
    assert await queue.take() is None
    assert await queue.pending() == 0


async def test_a_job_that_has_ended_cannot_be_cancelled(queue):
    job = await queue.submit(HERE, DOCUMENTS)
    await queue.finish(await take(queue), errors=[])
    with pytest.raises(JobEnded, match="succeeded"):
        await queue.cancel(job)


async def fail_for_good(queue, collection=HERE):
    job = await queue.submit(collection, DOCUMENTS)
    for _ in range(2):
        await queue.fail(await take(queue), error="broken")
    assert await state(queue, job.id) is JobState.FAILED
    return job


async def test_a_failed_job_is_tried_again_as_if_it_were_new(queue):
    job = await fail_for_good(queue)
    again = await queue.retry(job)
    assert (again.state, again.attempts, again.errors) == (JobState.QUEUED, 0, ())
    assert (again.epoch, again.finished_at) == (2, None)
    lease = await take(queue)
    assert (lease.job_id, lease.attempt, list(lease.documents)) == (job.id, 1, DOCUMENTS)
    assert await queue.finish(lease, errors=[])


async def test_only_a_failed_job_is_tried_again(queue):
    job = await queue.submit(HERE, DOCUMENTS)
    with pytest.raises(JobNotFailed, match="queued"):
        await queue.retry(job)


async def test_epochs_count_the_jobs_of_each_collection(queue):
    assert await queue.epochs(HERE) == Epochs(reached=0, last=0)
    jobs = [await queue.submit(where, DOCUMENTS) for where in (HERE, ELSEWHERE, HERE)]
    assert [job.epoch for job in jobs] == [1, 1, 2]
    assert await queue.epochs(HERE) == Epochs(reached=0, last=2)


async def test_an_epoch_is_reached_when_every_job_up_to_it_has_ended(queue):
    *_, third = [await queue.submit(HERE, DOCUMENTS) for _ in range(3)]
    one, two = await take(queue), await take(queue)
    assert await queue.finish(two, errors=[])
    assert await queue.epochs(HERE) == Epochs(reached=0, last=3)
    assert await queue.finish(one, errors=[])
    assert await queue.epochs(HERE) == Epochs(reached=2, last=3)
    await queue.cancel(third)
    assert await queue.epochs(HERE) == Epochs(reached=3, last=3)
    failed = await fail_for_good(queue)
    assert await queue.epochs(HERE) == Epochs(reached=4, last=4)
    await queue.retry(failed)
    assert await queue.epochs(HERE) == Epochs(reached=4, last=5)


async def test_the_same_request_again_gives_the_same_job(queue):
    job = await queue.submit(HERE, DOCUMENTS, idempotency_key="k")
    assert await queue.submit(HERE, DOCUMENTS, idempotency_key="k") == job
    assert await queue.pending() == 1
    other = await queue.submit(HERE, DOCUMENTS, idempotency_key="l")
    assert other.id != job.id
    assert (await queue.submit(ELSEWHERE, DOCUMENTS, idempotency_key="k")).id != job.id


async def test_a_key_of_another_request_is_refused(queue):
    await queue.submit(HERE, DOCUMENTS, idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        await queue.submit(HERE, DOCUMENTS[:1], idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        await queue.submit(replace(HERE, name="b"), DOCUMENTS, idempotency_key="k")
    assert await queue.pending() == 1


async def test_jobs_are_listed_by_tenant_and_state_the_latest_first(queue):
    failed = [(await fail_for_good(queue)).id for _ in range(3)]
    await fail_for_good(queue, ELSEWHERE)
    waiting = await queue.submit(HERE, DOCUMENTS)

    async def listed(tenant, state, page=None, limit=10):
        found = await queue.jobs(tenant, state=state, page=page, limit=limit)
        return [job.id for job in found.jobs], found.next_page

    assert await listed("default", JobState.FAILED) == (failed[::-1], None)
    assert await listed("default", JobState.SUCCEEDED) == ([], None)
    assert await listed("nobody", None) == ([], None)
    everything = [waiting.id, *failed[::-1]]
    assert await listed("default", None) == (everything, None)
    seen, page = [], None
    for _ in range(4):
        jobs, page = await listed("default", None, page, limit=1)
        seen += jobs
    assert (seen, page) == (everything, None)


@pytest.mark.parametrize("page", ["", "x", "-1", "9" * 40, "²"])
async def test_a_page_that_was_not_given_out_is_refused(queue, page):
    with pytest.raises(InvalidPage):
        await queue.jobs("default", state=None, page=page, limit=1)


# ---- what only a queue of one process can do ----


async def test_a_file_bounds_bytes_too_but_takes_one_large_job(new_sqlite_jobs):
    queue = new_sqlite_jobs(most_bytes=10)
    await queue.submit(HERE, [Document(id="large", text="x" * 100)])
    with pytest.raises(JobQueueFull):
        await queue.submit(HERE, [Document(id="small", text="x")])
    await queue.close()


async def test_jobs_in_a_file_outlive_their_process(new_sqlite_jobs):
    before = new_sqlite_jobs()
    running, waiting = [await before.submit(HERE, DOCUMENTS) for _ in range(2)]
    await take(before)
    await before.close()  # to the file it is the same as a crash
    after = new_sqlite_jobs()
    first, second = await take(after), await take(after)
    assert (first.job_id, first.attempt, list(first.documents)) == (running.id, 2, DOCUMENTS)
    assert (second.job_id, second.attempt) == (waiting.id, 1)
    assert (await after.submit(HERE, DOCUMENTS)).epoch == 3
    await after.close()


async def test_a_job_that_ends_its_process_each_time_is_given_up(new_sqlite_jobs):
    for _ in range(2):
        queue = new_sqlite_jobs(most_attempts=2)
        job = (await queue.jobs("default", state=None, page=None, limit=1)).jobs
        job = job[0] if job else await queue.submit(HERE, DOCUMENTS)
        await take(queue)
        await queue.close()
    queue = new_sqlite_jobs(most_attempts=2)
    assert await queue.take() is None
    ended = await queue.get(job.id)
    assert (ended.state, ended.errors) == (JobState.FAILED, (GIVEN_UP,))
    await queue.close()


async def test_a_file_belongs_to_one_process(new_sqlite_jobs):
    queue = new_sqlite_jobs()
    with pytest.raises(ConfigurationError, match="RAG_DATA_DIR"):
        new_sqlite_jobs()
    await queue.close()


async def test_ended_jobs_are_forgotten_after_a_week(new_sqlite_jobs, monkeypatch):
    queue = new_sqlite_jobs()
    ended, waiting = [await queue.submit(HERE, DOCUMENTS) for _ in range(2)]
    await queue.finish(await take(queue), errors=[])
    monkeypatch.setattr("ragdeploy_service.rag.ports.job_queue.REMEMBER_SECONDS", -1)
    await queue.submit(HERE, DOCUMENTS)
    assert await queue.get(ended.id) is None
    assert await queue.get(waiting.id) is not None
    await queue.close()


# ---- what only a queue of several workers can do ----


async def test_an_abandoned_job_goes_to_another_worker(new_redis_jobs):
    one, two = new_redis_jobs(), new_redis_jobs()
    job = await one.submit(HERE, DOCUMENTS)
    lost = await take(one)
    taken = await take(two)
    assert (taken.job_id, taken.attempt) == (job.id, 2)
    # The first worker was only slow. What it says now counts no more.
    assert not await one.renew(lost, done=2, total=2)
    assert not await one.finish(lost, errors=[])
    assert not await one.hand_back(lost)
    assert await one.fail(lost, error="late") is None
    assert await state(one, job.id) is JobState.RUNNING
    assert await two.finish(taken, errors=[])
    assert await state(one, job.id) is JobState.SUCCEEDED


async def test_a_renewed_job_stays_with_its_worker(new_redis_jobs):
    one, two = new_redis_jobs(lease_seconds=1.5), new_redis_jobs(lease_seconds=1.5)
    await one.submit(HERE, DOCUMENTS)
    lease = await take(one)
    for _ in range(10):  # two seconds and a half
        assert await two.take() is None
        assert await one.renew(lease, done=0, total=2)


async def test_a_job_that_ends_every_worker_is_given_up(new_redis_jobs):
    queue = new_redis_jobs(most_attempts=2)
    job = await queue.submit(HERE, DOCUMENTS)
    await take(queue)
    await take(queue)
    while await state(queue, job.id) is not JobState.FAILED:
        assert await queue.take() is None
    assert "Every worker" in (await queue.get(job.id)).errors[0]
    assert await queue.pending() == 0


async def test_documents_are_kept_until_the_job_has_succeeded(new_redis_jobs):
    queue = new_redis_jobs(most_attempts=1)
    redis = queue._redis
    done, failed = await queue.submit(HERE, DOCUMENTS), await queue.submit(HERE, DOCUMENTS)
    await queue.finish(await take(queue), errors=[])
    await queue.fail(await take(queue), error="broken")
    assert not await redis.exists(f"test:{{jobs}}:job:{done.id}:documents")
    assert 0 < await redis.ttl(f"test:{{jobs}}:job:{failed.id}:documents") <= 7 * 24 * 3600
    for job in (done, failed):
        assert 0 < await redis.ttl(f"test:{{jobs}}:job:{job.id}") <= 7 * 24 * 3600


async def test_a_job_whose_documents_are_gone_fails_with_words(new_redis_jobs):
    queue = new_redis_jobs()
    job = await queue.submit(HERE, DOCUMENTS)
    await queue._redis.delete(f"test:{{jobs}}:job:{job.id}:documents")
    assert await queue.take() is None
    assert (await queue.get(job.id)).errors == (
        "The documents of this job are lost; index them again.",
    )


async def test_a_redis_that_lost_everything_is_used_again(new_redis_jobs, redis_server):
    queue = new_redis_jobs()
    assert await queue.take() is None
    redis_server.flush()
    job = await queue.submit(HERE, DOCUMENTS)
    assert (await take(queue)).job_id == job.id


async def test_a_redis_that_forgot_the_scripts_knows_who_holds_what(new_redis_jobs, redis_server):
    queue = new_redis_jobs(lease_seconds=30)
    job = await queue.submit(HERE, DOCUMENTS)
    lease = await take(queue)
    redis_server.ask("SCRIPT FLUSH")
    assert await queue.renew(lease, done=1, total=2)
    redis_server.ask("SCRIPT FLUSH")
    assert await queue.finish(lease, errors=[])
    assert await state(queue, job.id) is JobState.SUCCEEDED


async def test_a_key_is_known_for_a_day(new_redis_jobs):
    queue = new_redis_jobs()
    await queue.submit(HERE, DOCUMENTS, idempotency_key="k")
    [key] = await queue._redis.keys("*repeated*")
    assert 0 < await queue._redis.ttl(key) <= 24 * 3600


async def test_a_dead_redis_is_an_outage(new_redis_jobs, redis_server):
    queue = new_redis_jobs()
    redis_server.kill()
    for call in (queue.submit(HERE, DOCUMENTS), queue.take(), queue.get("x"), queue.ping()):
        with pytest.raises(JobQueueUnavailable):
            await call


async def test_a_redis_without_room_is_a_full_queue(new_redis_jobs, redis_server):
    queue = new_redis_jobs()
    redis_server.ask("CONFIG SET maxmemory 1")
    try:
        with pytest.raises(JobQueueFull):
            await queue.submit(HERE, DOCUMENTS)
    finally:
        redis_server.ask("CONFIG SET maxmemory 0")


async def test_workers_long_gone_are_forgotten(new_redis_jobs, monkeypatch):
    monkeypatch.setattr("ragdeploy_service.adapters.redis.jobs._FORGET_CONSUMER_MS", -1)
    one, two = new_redis_jobs(), new_redis_jobs()
    await one.submit(HERE, DOCUMENTS)
    await one.finish(await take(one), errors=[])
    assert await consumers(one) == [one._consumer]
    await one.submit(HERE, DOCUMENTS)
    await take(two)
    assert await consumers(two) == [two._consumer]


async def consumers(queue):
    found = await queue._redis.xinfo_consumers("test:{jobs}:jobs", "indexers")
    return [consumer["name"].decode() for consumer in found]
