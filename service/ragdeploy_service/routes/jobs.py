"""What became of the work that was taken in, and how to stop it or to try it again."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response, status
from pydantic import BaseModel, Field

from ragdeploy_service.problems import documented
from ragdeploy_service.rag.access import Access
from ragdeploy_service.rag.models import Job, JobKind, JobState
from ragdeploy_service.routes.dependencies import Parts, Tenant
from ragdeploy_service.routes.guard import GuardedRoute, needs

router = APIRouter(tags=["documents"], route_class=GuardedRoute)

_JOB_ID = re.compile(r"[0-9a-f]{32}")


class Accepted(BaseModel):
    """A job that was taken in."""

    job_id: str = Field(description="Ask for it at /jobs/{job_id}.")
    epoch: int = Field(
        description="Give it as `min_epoch` with a question that must know these documents."
    )
    message: str
    count: int = Field(description="Documents taken in.")


class JobStatus(BaseModel):
    """What became of a job."""

    job_id: str
    kind: JobKind
    collection: str
    epoch: int = Field(description="Counts the jobs of the collection, in the order they came.")
    state: JobState
    done: int = Field(description="Documents that are indexed.")
    total: int = Field(description="Documents that were given.")
    attempts: int = Field(description="Workers that began it.")
    errors: list[str] = Field(description="A sentence for each document or attempt that failed.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobList(BaseModel):
    """Some jobs of a list."""

    jobs: list[JobStatus]
    next_page: str | None = Field(description="Give it as `page` for more; null after the last.")


@router.get(
    "/jobs",
    dependencies=[needs(Access.INDEX, counted=False)],
    responses=documented(401, 403, 422, 503),
    summary="List jobs",
)
async def jobs(
    parts: Parts,
    tenant: Tenant,
    state: JobState | None = None,
    page: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JobList:
    """List jobs, those that came into their state last first.

    `state=failed` lists what was given up; each of these can be tried again.
    """
    found = await parts.queue.jobs(tenant, state=state, page=page, limit=limit)
    return JobList(jobs=[_status(job) for job in found.jobs], next_page=found.next_page)


@router.get(
    "/jobs/{job_id}",
    dependencies=[needs(Access.INDEX, counted=False)],
    responses=documented(401, 403, 404, 503),
    summary="Ask for a job",
)
async def job(job_id: str, parts: Parts, tenant: Tenant) -> JobStatus:
    """Say how far a job has come. Jobs that have ended are remembered for a week."""
    return _status(await _found(job_id, parts, tenant))


@router.delete(
    "/jobs/{job_id}",
    dependencies=[needs(Access.INDEX)],
    responses=documented(401, 403, 404, 409, 429, 503),
    summary="Cancel a job",
)
async def cancel(job_id: str, parts: Parts, tenant: Tenant) -> JobStatus:
    """End a job that waits or runs, within a few seconds; 409 if it has ended already.

    Documents that it has indexed stay, whole ones and new versions with them.
    """
    found = await _found(job_id, parts, tenant)
    cancelled = await parts.queue.cancel(found)
    if cancelled is None:
        raise _no_such_job()
    if found.state is not JobState.CANCELLED:
        parts.metrics.job(JobState.CANCELLED, documents=found.total)
    return _status(cancelled)


@router.post(
    "/jobs/{job_id}/retry",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[needs(Access.INDEX)],
    responses=documented(401, 403, 404, 409, 429, 503),
    summary="Try a failed job again",
)
async def retry(job_id: str, response: Response, parts: Parts, tenant: Tenant) -> Accepted:
    """Queue a job again that was given up, with a new epoch; 409 if it has not failed."""
    again = await parts.queue.retry(await _found(job_id, parts, tenant))
    if again is None:
        raise _no_such_job()
    return accept(again, response, parts, message="Queued again")


def accept(job: Job, response: Response, parts: Parts, *, message: str) -> Accepted:
    """Tell about a job that was taken in, for a response of status 202."""
    parts.metrics.job(JobState.QUEUED, documents=job.total)
    response.headers["Location"] = f"/jobs/{job.id}"
    return Accepted(job_id=job.id, epoch=job.epoch, message=message, count=job.total)


async def _found(job_id: str, parts: Parts, tenant: str) -> Job:
    found = await parts.queue.get(job_id) if _JOB_ID.fullmatch(job_id) else None
    if found is None or found.collection.tenant != tenant:
        raise _no_such_job()
    return found


def _no_such_job() -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, "There is no such job.")


def _status(found: Job) -> JobStatus:
    return JobStatus(
        job_id=found.id,
        kind=found.kind,
        collection=found.collection.name,
        epoch=found.epoch,
        state=found.state,
        done=found.done,
        total=found.total,
        attempts=found.attempts,
        errors=list(found.errors),
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
    )
