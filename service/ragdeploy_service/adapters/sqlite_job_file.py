"""Jobs as rows of a SQLite file: what must happen to a job at once."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ragdeploy_service.rag.errors import ConfigurationError, IdempotencyConflict, JobQueueFull
from ragdeploy_service.rag.models import CollectionId, Epochs, Job, JobKind, JobState
from ragdeploy_service.rag.ports import job_queue
from ragdeploy_service.rag.ports.job_queue import Lease

# Times are microseconds since 1970, each of them later than all before. ``turn`` orders the jobs
# that wait, ``changed`` those that came into a state.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, tenant TEXT NOT NULL, collection TEXT NOT NULL,
    epoch INTEGER NOT NULL, state TEXT NOT NULL, changed INTEGER NOT NULL, turn INTEGER NOT NULL,
    total INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    errors TEXT NOT NULL DEFAULT '[]', created_at INTEGER NOT NULL, started_at INTEGER,
    finished_at INTEGER, documents TEXT, traceparent TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, changed);
CREATE TABLE IF NOT EXISTS epochs (
    tenant TEXT, collection TEXT, last INTEGER NOT NULL, PRIMARY KEY (tenant, collection)
);
CREATE TABLE IF NOT EXISTS requests (
    tenant TEXT, key TEXT, fingerprint TEXT NOT NULL, job TEXT NOT NULL, expires INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
);
"""

_RETRY_AFTER = 5.0
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may wait, in jobs and in bytes of documents, and how often a job is begun."""

    most_jobs: int
    most_bytes: int
    most_attempts: int


class JobFile:
    """One connection to the file, for one thread; every call stands in a `transaction`."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        """Open the file for this process alone; jobs that ran when their process died wait again.

        Raises:
            ConfigurationError: it cannot be written, or another process has it.

        """
        self._bounds = bounds
        self._last = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            self._db.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                "The jobs cannot be kept in RAG_DATA_DIR: it must be a folder that this process "
                "can write to, and that no other service uses."
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of it or nothing, and have it on disk at the end."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()

    def add(
        self,
        collection: CollectionId,
        kind: JobKind,
        documents: str,
        *,
        total: int,
        traceparent: str | None,
    ) -> Job:
        """Take a job in; `JobQueueFull` if there is no room."""
        self._forget()
        self._check_room(len(documents))
        job_id, now = uuid4().hex, self._now()
        self._db.execute(
            "INSERT INTO jobs (id, kind, tenant, collection, epoch, changed, turn, total, "
            "created_at, documents, traceparent, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued')",
            (
                *(job_id, kind, collection.tenant, collection.name),
                *(self._next_epoch(collection), now, now, total, now, documents, traceparent),
            ),
        )
        return self.existing(job_id)

    def known(self, tenant: str, key: str, fingerprint: str) -> Job | None:
        """The job that a request with this key became; `IdempotencyConflict` if it was another."""
        self._db.execute("DELETE FROM requests WHERE expires < ?", (self._now(),))
        query = "SELECT job, fingerprint FROM requests WHERE tenant = ? AND key = ?"
        found = self._db.execute(query, (tenant, key)).fetchone()
        if found is None:
            return None
        if found["fingerprint"] != fingerprint:
            raise IdempotencyConflict("This Idempotency-Key was used for other documents.")
        return self.find(found["job"])

    def remember(self, tenant: str, key: str, fingerprint: str, job: Job) -> None:
        """Know the request again."""
        expires = self._now() + job_queue.REPEAT_SECONDS * _SECOND
        self._db.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?)",
            (tenant, key, fingerprint, job.id, expires),
        )

    def find(self, job_id: str) -> Job | None:
        row = self._db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return _job(row) if row else None

    def existing(self, job_id: str) -> Job:
        """A job that is there; `LookupError` if not."""
        if (job := self.find(job_id)) is None:
            raise LookupError(job_id)
        return job

    def listed(
        self, tenant: str, state: JobState | None, *, before: int, limit: int
    ) -> list[tuple[int, Job]]:
        """Jobs with the time of their last change, the latest first."""
        rows = self._db.execute(
            "SELECT * FROM jobs WHERE tenant = ? AND state LIKE ? AND changed < ? "
            "ORDER BY changed DESC LIMIT ?",
            (tenant, state or "%", before, limit),
        )
        return [(row["changed"], _job(row)) for row in rows]

    def epochs(self, collection: CollectionId) -> Epochs:
        of = (collection.tenant, collection.name)
        row = self._db.execute(
            "SELECT (SELECT last FROM epochs WHERE tenant = ?1 AND collection = ?2), "
            "(SELECT min(epoch) FROM jobs WHERE tenant = ?1 AND collection = ?2 "
            "AND state IN ('queued', 'running'))",
            of,
        ).fetchone()
        last = row[0] or 0
        return Epochs(reached=last if row[1] is None else row[1] - 1, last=last)

    def pending(self) -> tuple[int, int]:
        """Number of jobs that wait or run, and the size of their documents."""
        row = self._db.execute(
            "SELECT count(*), total(length(documents)) FROM jobs "
            "WHERE state IN ('queued', 'running')"
        ).fetchone()
        return int(row[0]), int(row[1])

    def begin(self) -> Lease | None:
        """Take the job whose turn it is; give up those that ended every worker so far."""
        query = "SELECT * FROM jobs WHERE state = 'queued' ORDER BY turn LIMIT 1"
        while (row := self._db.execute(query).fetchone()) is not None:
            job = _job(row)
            if job.attempts >= self._bounds.most_attempts:
                self.end(job, JobState.FAILED, errors=[job_queue.GIVEN_UP], done=job.done)
                continue
            self._db.execute(
                "UPDATE jobs SET state = 'running', changed = ?1, attempts = attempts + 1, "
                "started_at = coalesce(started_at, ?1) WHERE id = ?2",
                (self._now(), job.id),
            )
            return Lease(
                job_id=job.id,
                kind=job.kind,
                collection=job.collection,
                receipt=job.id,
                attempt=job.attempts + 1,
                documents=job_queue.load(row["documents"]),
                traceparent=row["traceparent"],
            )
        return None

    def held(self, lease: Lease) -> Job | None:
        """The job, if the lease still holds."""
        job = self.find(lease.job_id)
        mine = job and job.state is JobState.RUNNING and job.attempts == lease.attempt
        return job if mine else None

    def change(self, job: Job, **fields: Any) -> None:
        """Set columns of a job."""
        columns = ", ".join(f"{name} = ?" for name in fields)
        # The names are ours, the values are bound.
        self._db.execute(f"UPDATE jobs SET {columns} WHERE id = ?", (*fields.values(), job.id))  # noqa: S608

    def queue(self, job: Job, *, last: bool, **fields: Any) -> None:
        """Let a job wait, at the end of the queue or where it stood."""
        now = self._now()
        turn = {"turn": now} if last else {}
        self.change(job, state=JobState.QUEUED, changed=now, **turn, **fields)

    def queue_anew(self, job: Job) -> None:
        """Let a job that has ended wait as if it had just been taken in."""
        self._check_room(0)
        epoch = self._next_epoch(job.collection)
        fresh = {"attempts": 0, "done": 0, "errors": "[]", "started_at": None, "finished_at": None}
        self.queue(job, last=True, epoch=epoch, **fresh)

    def end(self, job: Job, state: JobState, *, errors: Sequence[str], done: int) -> None:
        """Nothing more is done for a job; what failed may be tried again with its documents."""
        now = self._now()
        told = {"state": state, "changed": now, "finished_at": now, "done": done}
        self.change(job, **told, errors=json.dumps(list(errors)))
        if state is not JobState.FAILED:
            self.change(job, documents=None)

    def _check_room(self, size: int) -> None:
        count, waiting = self.pending()
        full = count >= self._bounds.most_jobs or waiting + size > self._bounds.most_bytes
        if count and full:
            raise JobQueueFull(f"{count} jobs wait already.", retry_after=_RETRY_AFTER)

    def _next_epoch(self, collection: CollectionId) -> int:
        row = self._db.execute(
            "INSERT INTO epochs VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET last = last + 1 "
            "RETURNING last",
            (collection.tenant, collection.name),
        ).fetchone()
        return int(row[0])

    def _forget(self) -> None:
        """Drop the jobs that ended long ago."""
        self._db.execute(
            "DELETE FROM jobs WHERE state NOT IN ('queued', 'running') AND changed < ?",
            (self._now() - job_queue.REMEMBER_SECONDS * _SECOND,),
        )

    def _now(self) -> int:
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


def _job(row: sqlite3.Row) -> Job:
    def moment(name: str) -> datetime | None:
        return datetime.fromtimestamp(row[name] / _SECOND, UTC) if row[name] is not None else None

    return Job(
        id=row["id"],
        kind=JobKind(row["kind"]),
        collection=CollectionId(tenant=row["tenant"], name=row["collection"]),
        epoch=row["epoch"],
        state=JobState(row["state"]),
        total=row["total"],
        done=row["done"],
        attempts=row["attempts"],
        errors=tuple(json.loads(row["errors"])),
        created_at=datetime.fromtimestamp(row["created_at"] / _SECOND, UTC),
        started_at=moment("started_at"),
        finished_at=moment("finished_at"),
    )
