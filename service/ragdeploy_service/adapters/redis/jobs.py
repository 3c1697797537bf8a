"""The job queue that all replicas share, on Redis Streams.

Own code on redis-py, after weighing the libraries (2026): taskiq-redis does
not renew a lease, fetches a hundred jobs ahead and never deletes one; saq
takes a job off its lists before it puts it back, and rewrites the documents
at each step; streaq is sound, but brings a second Redis client, a worker that
owns process and signals, and neither a bound nor progress.

A stream holds the ids of jobs that wait or run. Whoever reads one holds it
for `lease_seconds` from the last renewal; then another claims it. The worker
acknowledges after the commit, so a job may run twice but is never lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from ragdeploy_service.adapters.redis import job_scripts as scripts
from ragdeploy_service.adapters.redis.client import confirmed
from ragdeploy_service.adapters.redis.job_records import Keys, to_entry, to_job
from ragdeploy_service.rag.errors import (
    IdempotencyConflict,
    JobEnded,
    JobNotFailed,
    JobQueueFull,
    JobQueueUnavailable,
)
from ragdeploy_service.rag.models import (
    CollectionId,
    Document,
    Epochs,
    Job,
    JobKind,
    JobPage,
    JobState,
)
from ragdeploy_service.rag.ports import job_queue
from ragdeploy_service.rag.ports.job_queue import Lease, Origin

_GROUP = "indexers"
_BLOCK_MS = 250  # a worker that is to stop waits no longer
_RETRY_AFTER = 10.0
_CONFIRM_SECONDS = 2.0
_FORGET_CONSUMER_MS = 3_600_000

_log = structlog.get_logger(__name__)


class RedisJobs:
    """Implements `rag.ports.job_queue.JobQueue`."""

    def __init__(
        self,
        redis: Redis,
        *,
        namespace: str,
        lease_seconds: float = 15.0,
        most_jobs: int = 1_000,
        most_attempts: int = 5,
        origin: Origin = lambda: None,
    ) -> None:
        """Use a client whose timeout is longer than the moment that `take` waits."""
        self._redis: Any = redis  # its types depend on options of the connection
        self._keys = Keys(namespace)
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._most_jobs = most_jobs
        self._most_attempts = most_attempts
        self._origin = origin
        self._grouped = False
        self.lease_seconds = lease_seconds
        self._submit = redis.register_script(scripts.SUBMIT)
        self._cancel = redis.register_script(scripts.CANCEL)
        self._retry = redis.register_script(scripts.RETRY)
        self._begin = redis.register_script(scripts.BEGIN)
        self._renew = redis.register_script(scripts.RENEW)
        self._finish = redis.register_script(scripts.FINISH)
        self._hand_back = redis.register_script(scripts.HAND_BACK)
        self._fail = redis.register_script(scripts.FAIL)

    async def submit(
        self,
        collection: CollectionId,
        documents: Sequence[Document] = (),
        *,
        kind: JobKind = JobKind.INDEX,
        idempotency_key: str | None = None,
    ) -> Job:
        payload = job_queue.dump(documents)
        extra, print_ = [], ""
        if idempotency_key is not None:
            extra = [self._keys.repeated(collection.tenant, idempotency_key)]
            print_ = job_queue.fingerprint(collection, kind, payload)
        told = await self._run(
            self._submit,
            uuid4().hex,
            collection,
            *(self._most_jobs, payload, len(documents), kind, collection.tenant, collection.name),
            *(print_, job_queue.REPEAT_SECONDS, self._origin() or ""),
            extra_keys=extra,
        )
        if told == b"other":
            raise IdempotencyConflict("This Idempotency-Key was used for other documents.")
        if told == b"full":
            raise self._full()
        job = await self.get(told.decode())
        if job is None:
            raise JobQueueUnavailable("The job queue (Redis) lost a job just taken in; try again.")
        return job

    async def get(self, job_id: str) -> Job | None:
        with _guarded():
            record = await self._redis.hgetall(self._keys.record(job_id))
        return to_job(job_id, record) if record else None

    async def jobs(
        self, tenant: str, *, state: JobState | None, page: str | None, limit: int
    ) -> JobPage:
        before = f"({job_queue.page_start(page)}"
        lists = [self._keys.listed(tenant, each) for each in ([state] if state else JobState)]
        with _guarded():
            async with self._redis.pipeline(transaction=True) as calls:
                for name in lists:
                    calls.zrevrangebyscore(name, before, "-inf", 0, limit + 1, withscores=True)
                answers = await calls.execute()
        found = sorted(
            ((int(time), job.decode()) for entries in answers for job, time in entries),
            reverse=True,
        )
        jobs = await asyncio.gather(*(self.get(job_id) for _, job_id in found[:limit]))
        return JobPage(
            jobs=tuple(job for job in jobs if job is not None),
            next_page=str(found[limit - 1][0]) if len(found) > limit else None,
        )

    async def cancel(self, job: Job) -> Job | None:
        before = await self._run(self._cancel, job.id, job.collection)
        if before in {b"succeeded", b"failed"}:
            raise JobEnded(f"The job has {before.decode()} already.")
        return await self.get(job.id)

    async def retry(self, job: Job) -> Job | None:
        before = await self._run(self._retry, job.id, job.collection, self._most_jobs)
        if before == b"full":
            raise self._full()
        if before not in {b"failed", None}:
            raise JobNotFailed(f"The job is {before.decode()}; only a failed one is tried again.")
        return await self.get(job.id)

    async def epochs(self, collection: CollectionId) -> Epochs:
        last, still_open = self._keys.epochs(collection)
        with _guarded():
            async with self._redis.pipeline(transaction=True) as calls:
                calls.get(last)
                calls.zrange(still_open, 0, 0, withscores=True)
                counted, oldest = await calls.execute()
        newest = int(counted or 0)
        return Epochs(reached=int(oldest[0][1]) - 1 if oldest else newest, last=newest)

    async def take(self) -> Lease | None:
        with _guarded():
            await self._join()
            try:
                taken = await self._abandoned() or await self._next()
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                self._grouped = False  # Redis has lost its data; the next call joins anew
                return None
        if taken is None:
            return None
        entry, job_id, collection = taken
        words = (job_queue.LOST, job_queue.GIVEN_UP)
        begun = await self._run(self._begin, job_id, collection, entry, self._most_attempts, *words)
        if not isinstance(begun, list):
            if begun:
                _log.error("a job is given up", job=job_id, reason=begun.decode())
            return None
        attempt, payload, kind, traceparent = begun
        return Lease(
            job_id=job_id,
            kind=JobKind(kind.decode()),
            collection=collection,
            receipt=entry,
            attempt=int(attempt),
            documents=job_queue.load(payload),
            traceparent=traceparent.decode() or None,
        )

    async def renew(self, lease: Lease, *, done: int, total: int) -> bool:
        return bool(await self._as_holder(self._renew, lease, done, total))

    async def finish(self, lease: Lease, *, errors: Sequence[str]) -> bool:
        return bool(await self._as_holder(self._finish, lease, json.dumps(list(errors))))

    async def fail(self, lease: Lease, *, error: str) -> JobState | None:
        errors = json.dumps([error])
        state = await self._as_holder(self._fail, lease, errors, self._most_attempts)
        return JobState(state.decode()) if state else None

    async def hand_back(self, lease: Lease) -> bool:
        return bool(await self._as_holder(self._hand_back, lease))

    async def pending(self) -> int:
        with _guarded():
            return int(await self._redis.xlen(self._keys.stream))

    async def ping(self) -> None:
        with _guarded():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    async def _join(self) -> None:
        """Make the group of workers, and forget the workers that are long gone."""
        if self._grouped:
            return
        stream = self._keys.stream
        try:
            await self._redis.xgroup_create(stream, _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        for consumer in await self._redis.xinfo_consumers(stream, _GROUP):
            if not consumer["pending"] and consumer["idle"] > _FORGET_CONSUMER_MS:
                await self._redis.xgroup_delconsumer(stream, _GROUP, consumer["name"])
        self._grouped = True

    async def _abandoned(self) -> tuple[str, str, CollectionId] | None:
        """Claim a job whose worker has stopped renewing it."""
        _, entries, *_ = await self._redis.xautoclaim(
            self._keys.stream,
            _GROUP,
            self._consumer,
            min_idle_time=int(self.lease_seconds * 1000),
            count=1,
        )
        return to_entry(entries)

    async def _next(self) -> tuple[str, str, CollectionId] | None:
        streams = await self._redis.xreadgroup(
            _GROUP, self._consumer, {self._keys.stream: ">"}, count=1, block=_BLOCK_MS
        )
        return to_entry(streams[0][1]) if streams else None

    async def _as_holder(self, script: Any, lease: Lease, *arguments: Any) -> Any:
        held = (lease.receipt, self._consumer)
        return await self._run(script, lease.job_id, lease.collection, *held, *arguments)

    async def _run(
        self,
        script: Any,
        job_id: str,
        collection: CollectionId,
        *arguments: Any,
        extra_keys: Sequence[str] = (),
    ) -> Any:
        """Run a script; what it has written outlives the Redis that ran it."""
        keys = [*self._keys.of(job_id, collection), *extra_keys]
        args = [job_id, job_queue.REMEMBER_SECONDS, *arguments]
        with _guarded():
            return await confirmed(
                self._redis,
                lambda to: script(keys=keys, args=args, client=to),
                seconds=_CONFIRM_SECONDS,
            )

    def _full(self) -> JobQueueFull:
        return JobQueueFull(f"{self._most_jobs} jobs wait already.", retry_after=_RETRY_AFTER)


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except OutOfMemoryError as error:
        raise JobQueueFull(
            "Redis has no room for more documents.", retry_after=_RETRY_AFTER
        ) from error
    except (RedisError, OSError, TimeoutError) as error:
        raise JobQueueUnavailable(
            "The job queue (Redis) does not answer; try again in a moment."
        ) from error
