"""The status of a resource, computed from what is there and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ragdeploy_operator.api import ComponentStatus, Condition, Status
from ragdeploy_operator.build import names
from ragdeploy_operator.errors import Invalid
from ragdeploy_operator.objects import Json
from ragdeploy_operator.status import network, overall, parts
from ragdeploy_operator.status.facts import DEPLOYMENT, Facts
from ragdeploy_operator.status.finding import Finding, News
from ragdeploy_operator.status.rollout import rollout

_OURS = overall.TYPES | parts.TYPES | {network.NETWORK}

__all__ = ["Facts", "Finding", "News", "find", "news", "refused", "render", "same"]


def find(facts: Facts) -> list[Finding]:
    """Find out about every aspect of a resource; the most important first."""
    found = [*parts.findings(facts), *network.findings(facts)]
    return [*overall.findings(facts, found), *found]


def render(
    facts: Facts, found: Sequence[Finding], *, previous: Mapping[str, Any], now: datetime
) -> Json:
    """Write the status as JSON; a condition keeps its time for as long as its status stays."""
    times = {c["type"]: c for c in previous.get("conditions", ())}
    stamp = _stamp(now)
    generation = facts.resource.metadata.generation
    name = facts.resource.name
    deployment = facts.child(DEPLOYMENT, names.api(name))
    selector = names.selector(name, names.Component.API)
    counted = facts.index if facts.index and facts.index.documents is not None else None
    status = Status(
        observed_generation=generation,
        conditions=tuple(_condition(finding, generation, times, stamp) for finding in found),
        replicas=rollout(deployment).pods if deployment else 0,
        selector=",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        endpoint=network.endpoint(facts),
        documents=counted.documents if counted else previous.get("documents"),
        index_generation=counted.generation if counted else previous.get("indexGeneration"),
        components=tuple(_components(facts)),
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def news(found: Sequence[Finding], *, previous: Mapping[str, Any]) -> list[Finding]:
    """Pick the findings that are new and that people should hear of."""
    before = {c["type"]: (c["status"], c["reason"]) for c in previous.get("conditions", ())}
    return [
        finding
        for finding in found
        if finding.news is not News.NONE
        and before.get(finding.type) != (finding.status, finding.reason)
    ]


def refused(body: Mapping[str, Any], error: Invalid, *, now: datetime) -> Json:
    """Write the status of a resource that cannot be read: as it was, and stalled."""
    previous = body.get("status", {})
    stamp, generation = _stamp(now), body["metadata"]["generation"]
    times = {c["type"]: c for c in previous.get("conditions", ())}
    found = overall.refused(error, was_ready=times.get(overall.READY, {}).get("status") == "True")
    told = [_condition(finding, generation, times, stamp) for finding in found]
    new = {overall.PAUSED, *(one.type for one in told)}
    kept = [c for c in times.values() if c["type"] not in new]
    conditions = [condition.model_dump(mode="json", by_alias=True) for condition in told]
    return {**previous, "observedGeneration": generation, "conditions": [*conditions, *kept]}


def held(body: Mapping[str, Any], *, now: datetime) -> Json:
    """Write the status of a resource that is paused: as it was, and that it is."""
    previous = body.get("status", {})
    times = {c["type"]: c for c in previous.get("conditions", ())}
    metadata = body["metadata"]
    finding = overall.paused(metadata["name"], metadata["namespace"])
    told = _condition(finding, metadata["generation"], times, _stamp(now))
    kept = [c for c in times.values() if c["type"] != told.type]
    return {**previous, "conditions": [told.model_dump(mode="json", by_alias=True), *kept]}


def same(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether a status is there already; conditions that others have added do not count."""
    return _comparable(wanted) == _comparable(there)


def _comparable(status: Mapping[str, Any]) -> Json:
    conditions = {
        condition["type"]: {**condition, "lastTransitionTime": None}
        for condition in status.get("conditions", ())
        if condition["type"] in _OURS
    }
    components = {(c["kind"], c["name"]): c for c in status.get("components", ())}
    return {**status, "conditions": conditions, "components": components}


def _condition(
    finding: Finding, generation: int, times: Mapping[str, Any], stamp: str
) -> Condition:
    return Condition(
        type=finding.type,
        status=finding.status,
        reason=finding.reason,
        message=finding.message,
        observed_generation=generation,
        last_transition_time=_time(finding, times, stamp),
    )


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(finding: Finding, times: Mapping[str, Any], stamp: str) -> str:
    known = times.get(finding.type)
    if known and known["status"] == finding.status:
        return str(known["lastTransitionTime"])
    return stamp


def _components(facts: Facts) -> list[ComponentStatus]:
    found = []
    for part in facts.parts():
        if workload := facts.child(part.workload, part.name):
            state = rollout(workload)
            found.append(
                ComponentStatus(
                    kind=part.workload, name=part.name, ready=state.ready, desired=state.desired
                )
            )
    return found
