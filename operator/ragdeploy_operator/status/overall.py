"""The conditions about the resource as a whole: Ready, Reconciling, Stalled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ragdeploy_operator.api import PAUSE
from ragdeploy_operator.errors import Invalid
from ragdeploy_operator.status.facts import Facts
from ragdeploy_operator.status.finding import Finding, News, bad, good
from ragdeploy_operator.status.parts import API, CACHE, INDEXER, SECRETS, VECTOR_STORE, type_of
from ragdeploy_operator.status.rollout import rollout
from ragdeploy_operator.status.trouble import PODS_REFUSED, is_running

READY, RECONCILING, STALLED = "Ready", "Reconciling", "Stalled"
SUSPENDED, PAUSED = "Suspended", "Paused"

_NOTHING_TRIED = "Nothing more is tried until something changes."

_ASLEEP = (
    "Nothing runs, because spec.suspend is true; the data is kept. Set it to false to wake it up."
)

TYPES = frozenset({READY, RECONCILING, STALLED, SUSPENDED, PAUSED})

_REQUIRED = (VECTOR_STORE, CACHE, API)
"""Parts without which no question can be answered, in the order in which one depends on
another. Without the indexer, documents wait; that is told, and is no outage."""


def findings(facts: Facts, parts: Sequence[Finding]) -> Iterator[Finding]:
    """Sum up what was found about the parts."""
    by_type = {part.type: part for part in parts}
    stalled = _stalled(facts, by_type)
    yield _ready(facts, by_type, stalled)
    yield _reconciling(facts, by_type, stalled)
    yield stalled
    if facts.resource.spec.suspend:
        yield _suspended(facts)


def paused(name: str, namespace: str) -> Finding:
    """Say that nothing is done; all else in the status is from before."""
    return good(
        PAUSED,
        "Annotation",
        f"Nothing is changed, repaired or reported while the annotation {PAUSE} is true. "
        f"To go on: kubectl annotate ragd {name} -n {namespace} {PAUSE}-",
    )


def refused(error: Invalid, *, was_ready: bool) -> Iterator[Finding]:
    """Say that the resource itself cannot be read; what ran before keeps running."""
    if was_ready:
        yield good(READY, "Available", "What ran before this edit keeps running.")
    else:
        yield bad(READY, error.reason, error.message)
    yield bad(RECONCILING, "Stalled", _NOTHING_TRIED)
    yield good(STALLED, error.reason, error.message, news=News.BAD)


def _ready(facts: Facts, parts: dict[str, Finding], stalled: Finding) -> Finding:
    down = [parts[kind] for kind in _REQUIRED if not parts[kind].holds]
    # Only a Deployment tells that its pods are refused; a StatefulSet just has none.
    refused = (part for part in down if part.reason == PODS_REFUSED)
    broken = next(refused, down[0] if down else None)
    if broken is None:
        words = f"Questions are answered at {facts.address}."
        if not parts[INDEXER].holds:
            words += f" New documents wait for the indexer. {parts[INDEXER].message}"
        return good(READY, "Available", words, news=News.GOOD)
    if stalled.holds:
        broken = stalled
    elif facts.resource.spec.suspend:
        return bad(READY, "Suspended", _ASLEEP)
    elif facts.fault:
        return bad(READY, facts.fault.reason, facts.fault.message)
    elif (secrets := parts.get(SECRETS)) and not secrets.holds:
        broken = secrets
    return bad(READY, broken.reason, broken.message)


def _suspended(facts: Facts) -> Finding:
    left = sum(is_running(pod) for part in facts.parts() for pod in facts.pods(part))
    if left:
        return bad(SUSPENDED, "Stopping", f"{left} pods have not ended yet.")
    return good(SUSPENDED, "Suspended", _ASLEEP, news=News.GOOD)


def _stalled(facts: Facts, parts: dict[str, Finding]) -> Finding:
    if facts.refusal:
        return good(STALLED, facts.refusal.reason, facts.refusal.message, news=News.BAD)
    for part in facts.parts():
        found = facts.child(part.workload, part.name)
        if found and rollout(found).deadline_missed:
            cause = parts[type_of(part)].message
            return good(
                STALLED,
                "ProgressDeadlineExceeded",
                f"The latest version of {part.workload} {part.name} does not come up. {cause}",
                news=News.BAD,
            )
    return bad(STALLED, "NotStalled", "The operator has not given up on anything.")


def _reconciling(facts: Facts, parts: dict[str, Finding], stalled: Finding) -> Finding:
    if stalled.holds:
        return bad(RECONCILING, "Stalled", _NOTHING_TRIED)
    if facts.fault:
        return good(RECONCILING, facts.fault.reason, facts.fault.message)
    if facts.missing:
        names = ", ".join(sorted({missing.use.name for missing in facts.missing}))
        return good(RECONCILING, "WaitingForSecret", f"Waiting for Secret {names}.")
    for part in facts.parts():
        found = facts.child(part.workload, part.name)
        if found is None:
            return good(RECONCILING, "Creating", f"{part.workload} {part.name} is being made.")
        state = rollout(found)
        if not state.complete:
            return good(
                RECONCILING,
                "RollingOut",
                f"{part.workload} {part.name}: {state.updated} of {state.desired} pods are of the "
                f"latest version, {state.ready} are ready.",
            )
    if facts.leftovers:
        names = ", ".join(str(ref) for ref in facts.leftovers)
        return good(RECONCILING, "CleaningUp", f"To be removed: {names}.")
    return bad(RECONCILING, "UpToDate", f"Generation {facts.resource.metadata.generation} is live.")
