"""How jobs lie in Redis: the names of their keys, and their records as the domain has them.

A job is a hash (its record), its documents as JSON, an entry in the stream of
all jobs that wait or run, and a member of one sorted set for its tenant and
state, by the time it came into that. Each collection has a counter of epochs
and a sorted set of those that have not ended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ragdeploy_service.rag.models import CollectionId, Job, JobKind, JobState


class Keys:
    """The names under one namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.stream = f"{namespace}:jobs"

    def of(self, job_id: str, collection: CollectionId) -> list[str]:
        """All keys that a script touches, in the order it expects them."""
        record = self.record(job_id)
        lists = [self.listed(collection.tenant, state) for state in JobState]
        return [self.stream, record, f"{record}:documents", *self.epochs(collection), *lists]

    def record(self, job_id: str) -> str:
        return f"{self._namespace}:job:{job_id}"

    def epochs(self, collection: CollectionId) -> list[str]:
        """The counter of a collection's epochs, and the set of those that have not ended."""
        return [f"{self.stream}:{name}:{collection}" for name in ("last", "open")]

    def listed(self, tenant: str, state: JobState) -> str:
        return f"{self.stream}:{state}:{tenant}"

    def repeated(self, tenant: str, idempotency_key: str) -> str:
        """Where the job stands that a request with this key became."""
        digest = hashlib.sha256(f"{tenant}\n{idempotency_key}".encode()).hexdigest()
        return f"{self.stream}:repeated:{digest}"


def to_job(job_id: str, fields: Mapping[bytes, bytes]) -> Job:
    """Read a record."""
    record = {name.decode(): value.decode() for name, value in fields.items()}

    def time(name: str) -> datetime:
        return datetime.fromtimestamp(int(record[name]) / 1_000_000, UTC)

    return Job(
        id=job_id,
        kind=JobKind(record["kind"]),
        collection=CollectionId(tenant=record["tenant"], name=record["collection"]),
        epoch=int(record["epoch"]),
        state=JobState(record["state"]),
        total=int(record["total"]),
        done=int(record["done"]),
        attempts=int(record["attempts"]),
        errors=tuple(json.loads(record["errors"])),
        created_at=time("created_at"),
        started_at=time("started_at") if "started_at" in record else None,
        finished_at=time("finished_at") if "finished_at" in record else None,
    )


def to_entry(entries: Sequence[Any]) -> tuple[str, str, CollectionId] | None:
    """Entry id, job id and collection of the first entry that still has its fields."""
    for entry, fields in entries:
        if fields:
            collection = CollectionId(
                tenant=fields[b"tenant"].decode(), name=fields[b"collection"].decode()
            )
            return entry.decode(), fields[b"job"].decode(), collection
    return None
