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

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from ragdeploy_service.adapters import redis_job_scripts as scripts
from ragdeploy_service.rag.errors import JobQueueFull, JobQueueUnavailable
from ragdeploy_service.rag.job_queue import Lease
from ragdeploy_service.rag.models import CollectionId, Document, Job, JobState

_GROUP = "indexers"
_BLOCK_MS = 250  # a worker that is to stop waits no longer
_RETRY_AFTER = 10.0
_REMEMBER_SECONDS = 7 * 24 * 3600
_FORGET_CONSUMER_MS = 3_600_000

_log = structlog.get_logger(__name__)


class RedisJobs:
    """Implements `rag.job_queue.JobQueue`."""

    durable = True

    def __init__(
        self,
        redis: Redis,
        *,
        namespace: str,
        lease_seconds: float = 15.0,
        most_jobs: int = 1_000,
        most_attempts: int = 5,
    ) -> None:
        """Use a client whose timeout is longer than the moment that `take` waits."""
        self._redis: Any = redis  # its types depend on options of the connection
        self._prefix = f"{namespace}:job"
        self._stream = f"{namespace}:jobs"
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._most_jobs = most_jobs
        self._most_attempts = most_attempts
        self._grouped = False
        self.lease_seconds = lease_seconds
        self._submit: Any = redis.register_script(scripts.SUBMIT)
        self._begin: Any = redis.register_script(scripts.BEGIN)
        self._renew = redis.register_script(scripts.RENEW)
        self._finish = redis.register_script(scripts.FINISH)
        self._hand_back = redis.register_script(scripts.HAND_BACK)
        self._fail = redis.register_script(scripts.FAIL)

    async def submit(self, collection: CollectionId, documents: Sequence[Document]) -> Job:
        job_id = uuid4().hex
        now = datetime.now(UTC)
        payload = json.dumps([asdict(document) for document in documents], ensure_ascii=False)
        arguments = [
            *(self._most_jobs, job_id, payload, len(documents), now.isoformat()),
            *(collection.tenant, collection.name),
        ]
        with _guarded():
            accepted = await self._submit(keys=self._keys(job_id), args=arguments)
        if not accepted:
            raise JobQueueFull(
                f"{self._most_jobs} index jobs wait already.", retry_after=_RETRY_AFTER
            )
        return Job(
            id=job_id,
            collection=collection,
            state=JobState.QUEUED,
            total=len(documents),
            done=0,
            attempts=0,
            errors=(),
            created_at=now,
            started_at=None,
            finished_at=None,
        )

    async def get(self, job_id: str) -> Job | None:
        with _guarded():
            record = await self._redis.hgetall(self._keys(job_id)[1])
        if not record:
            return None
        return _job(job_id, {name.decode(): value.decode() for name, value in record.items()})

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
            entry, job_id = taken
            arguments = [_GROUP, entry, self._most_attempts, _now(), _REMEMBER_SECONDS]
            begun = await self._begin(keys=self._keys(job_id), args=arguments)
        if not isinstance(begun, list):
            if begun:
                _log.error("a job is given up", job=job_id, reason=begun.decode())
            return None
        attempt, payload, tenant, name = begun
        return Lease(
            job_id=job_id,
            collection=CollectionId(tenant=tenant.decode(), name=name.decode()),
            receipt=entry,
            attempt=int(attempt),
            documents=tuple(Document(**fields) for fields in json.loads(payload)),
        )

    async def renew(self, lease: Lease, *, done: int) -> bool:
        return bool(await self._as_holder(self._renew, lease, done))

    async def finish(self, lease: Lease, *, errors: Sequence[str]) -> bool:
        arguments = (json.dumps(list(errors)), _now(), _REMEMBER_SECONDS)
        return bool(await self._as_holder(self._finish, lease, *arguments))

    async def fail(self, lease: Lease, *, error: str) -> JobState | None:
        state = await self._as_holder(
            self._fail,
            lease,
            lease.job_id,
            json.dumps([error]),
            self._most_attempts,
            _now(),
            _REMEMBER_SECONDS,
        )
        return JobState(state.decode()) if state else None

    async def hand_back(self, lease: Lease) -> bool:
        return bool(await self._as_holder(self._hand_back, lease, lease.job_id, -1))

    async def pending(self) -> int:
        with _guarded():
            return int(await self._redis.xlen(self._stream))

    async def ping(self) -> None:
        with _guarded():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    async def _join(self) -> None:
        """Make the group of workers, and forget the workers that are long gone."""
        if self._grouped:
            return
        try:
            await self._redis.xgroup_create(self._stream, _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        for consumer in await self._redis.xinfo_consumers(self._stream, _GROUP):
            if not consumer["pending"] and consumer["idle"] > _FORGET_CONSUMER_MS:
                await self._redis.xgroup_delconsumer(self._stream, _GROUP, consumer["name"])
        self._grouped = True

    async def _abandoned(self) -> tuple[str, str] | None:
        """Claim a job whose worker has stopped renewing it."""
        _, entries, *_ = await self._redis.xautoclaim(
            self._stream,
            _GROUP,
            self._consumer,
            min_idle_time=int(self.lease_seconds * 1000),
            count=1,
        )
        return _entry(entries)

    async def _next(self) -> tuple[str, str] | None:
        streams = await self._redis.xreadgroup(
            _GROUP, self._consumer, {self._stream: ">"}, count=1, block=_BLOCK_MS
        )
        return _entry(streams[0][1]) if streams else None

    async def _as_holder(self, script: Any, lease: Lease, *arguments: Any) -> Any:
        with _guarded():
            return await script(
                keys=self._keys(lease.job_id),
                args=[_GROUP, lease.receipt, self._consumer, *arguments],
            )

    def _keys(self, job_id: str) -> list[str]:
        record = f"{self._prefix}:{job_id}"
        return [self._stream, record, f"{record}:documents"]


def _entry(entries: Sequence[Any]) -> tuple[str, str] | None:
    """Entry id and job id of the first entry that still has its fields."""
    for entry, fields in entries:
        if fields:
            return entry.decode(), fields[b"job"].decode()
    return None


def _job(job_id: str, record: dict[str, str]) -> Job:
    def time(name: str) -> datetime | None:
        return datetime.fromisoformat(record[name]) if name in record else None

    return Job(
        id=job_id,
        collection=CollectionId(tenant=record["tenant"], name=record["collection"]),
        state=JobState(record["state"]),
        total=int(record["total"]),
        done=int(record["done"]),
        attempts=int(record["attempts"]),
        errors=tuple(json.loads(record["errors"])),
        created_at=datetime.fromisoformat(record["created_at"]),
        started_at=time("started_at"),
        finished_at=time("finished_at"),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()


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
