"""One condition per part of the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from ragdeploy_operator.api.autoscaling import Autoscaling
from ragdeploy_operator.build import names, vector_store
from ragdeploy_operator.objects import Json, Missing
from ragdeploy_operator.status import milvus, monitoring, trouble
from ragdeploy_operator.status.facts import DEPLOYMENT, STATEFUL_SET, Facts
from ragdeploy_operator.status.finding import Finding, News, bad, good, unknown
from ragdeploy_operator.status.rollout import Rollout, rollout
from ragdeploy_operator.status.trouble import Part, Trouble

API, INDEXER, CACHE, VECTOR_STORE = "ApiReady", "IndexerReady", "CacheReady", "VectorStoreReady"
SCALING, SECRETS = "ScalingReady", "SecretsResolved"

TYPES = frozenset({API, INDEXER, CACHE, VECTOR_STORE, SCALING, monitoring.MONITORING, SECRETS})

_TYPES = {
    names.Component.API: API,
    names.Component.INDEXER: INDEXER,
    names.Component.CACHE: CACHE,
    names.Component.VECTOR_STORE: VECTOR_STORE,
}


def findings(facts: Facts) -> Iterator[Finding]:
    """Look at every part that is on."""
    yield from _secrets(facts)
    for part in facts.parts():
        yield _workload(facts, part)
    yield from _external(facts)
    yield from _scaling(facts)
    yield from monitoring.findings(facts)


# ---- Secrets ----
def _secrets(facts: Facts) -> Iterator[Finding]:
    if facts.missing:
        words = " ".join(_missing(facts, missing) for missing in facts.missing)
        yield bad(SECRETS, "SecretMissing", words, news=News.BAD)
    elif any(facts.resource.spec.secret_uses()):
        yield good(SECRETS, "AllFound", "All Secrets that the spec refers to are there.")


def _missing(facts: Facts, missing: Missing) -> str:
    use, namespace = missing.use, facts.resource.namespace
    key = use.key or "default"
    if missing.is_absent:
        remedy = (
            f"Make it with: kubectl create secret generic {use.name} -n {namespace} "
            f"--from-literal={key}=..."
        )
    else:
        change = json.dumps({"stringData": {key: "..."}})
        remedy = (
            f"Add it with: kubectl patch secret {use.name} -n {namespace} "
            f"--type=merge --patch='{change}'"
        )
    return f"{use.path} refers to Secret {use.name}, which {missing.why}. {remedy}"


# ---- what runs as pods ----
def type_of(part: Part) -> str:
    """Type of the condition about a part."""
    return _TYPES[names.Component(part.component)]


def _workload(facts: Facts, part: Part) -> Finding:
    kind = type_of(part)
    found = facts.child(part.workload, part.name)
    if found is None:
        return _not_made(facts, part, kind)
    state = rollout(found)
    if facts.resource.spec.suspend:
        return _suspended(facts, part, kind)
    is_api = part.component == names.Component.API
    serving = facts.ready_endpoints if is_api else state.ready
    cause = _cause(facts, part, state)
    if serving:
        return _serving(facts, part, kind, state, cause)
    if cause:
        told_elsewhere = cause.reason == trouble.WAITING_FOR_STORE
        news = News.NONE if told_elsewhere else News.BAD
        return bad(kind, cause.reason, cause.message, news=news)
    what = f"{part.workload} {part.name}"
    if not state.pods:
        return bad(
            kind,
            "Starting",
            f"{what} has no pods yet. If that lasts: "
            f"kubectl describe {part.workload.lower()} {part.name} -n {part.namespace}",
        )
    counts = f"{state.ready} of {state.desired} pods are ready"
    return bad(kind, "Starting", f"{what} is starting: {counts}.")


def _suspended(facts: Facts, part: Part, kind: str) -> Finding:
    what = f"{part.workload} {part.name}"
    number = sum(map(trouble.is_running, facts.pods(part)))
    left = f"has {number} pods left" if number else "has no pods"
    return bad(kind, "Suspended", f"{what} {left}, because spec.suspend is true.")


def _not_made(facts: Facts, part: Part, kind: str) -> Finding:
    if facts.missing and part.workload == DEPLOYMENT:
        wanted = ", ".join(sorted({f"Secret {missing.use.name}" for missing in facts.missing}))
        return bad(
            kind, "WaitingForSecret", f"{part.workload} {part.name} is made once {wanted} is there."
        )
    if facts.refusal:
        return bad(
            kind,
            "HeldBack",
            f"{part.workload} {part.name} is not made until what Stalled tells is over.",
        )
    return bad(kind, "Creating", f"{part.workload} {part.name} is not there yet.")


def _serving(facts: Facts, part: Part, kind: str, state: Rollout, cause: Trouble | None) -> Finding:
    what = f"{part.workload} {part.name}"
    counts = f"{what}: {state.ready} of {state.desired} pods are ready"
    if part.name in facts.adopted:
        spec = facts.resource.spec
        wanted = spec.api if part.component == names.Component.API else spec.indexer
        counts += (
            f" (the number that autoscaling had found; spec.{part.component}.replicas "
            f"{wanted.replicas} counts again once it is changed)"
        )
    if state.complete:
        return good(kind, "Available", f"{counts}.", news=News.GOOD)
    if cause:
        return good(kind, "Degraded", f"{counts}. {cause.message}", news=News.BAD)
    if state.updated < state.desired or state.pods > state.updated or not state.observed:
        return good(
            kind,
            "RollingOut",
            f"{counts}; {state.updated} are of the latest version.",
        )
    return good(kind, "Degraded", f"{counts}.")


def _cause(facts: Facts, part: Part, state: Rollout) -> Trouble | None:
    if state.failure:
        return Trouble(
            reason=trouble.PODS_REFUSED,
            message=f"No more pods of {part.workload} {part.name} can be made: "
            f"{state.failure.rstrip('.')}. Raise the quota or fix the policy that refuses them.",
        )
    cause = trouble.find(part, pods=facts.pods(part), claims=facts.claims(part))
    if cause and cause.reason == trouble.NOT_READY and part.workload == DEPLOYMENT:
        return _without_store(facts, part, cause)
    return cause


def _without_store(facts: Facts, part: Part, cause: Trouble) -> Trouble:
    """Say which vector store pods wait for, if that may be why they are not ready."""
    spec = facts.resource.spec.vector_store
    if spec.external or (spec.own and spec.own.is_cluster):
        # of all that it may be, this is what nothing else here tells of
        uri = spec.external.uri if spec.external else vector_store.uri(facts.resource)
        needed = f"Pods become ready when the Milvus at {uri} answers them."
        return replace(cause, message=f"{needed} {cause.message}")
    name = names.vector_store(facts.resource.name)
    store = facts.child(STATEFUL_SET, name)
    if store and rollout(store).ready:
        return cause
    return Trouble(
        reason=trouble.WAITING_FOR_STORE,
        message=f"{part.workload} {part.name} is ready once {STATEFUL_SET} {name} has a ready pod.",
    )


# ---- what others run ----
def _external(facts: Facts) -> Iterator[Finding]:
    cache, store = facts.resource.spec.cache.external, facts.resource.spec.vector_store.external
    if cache:
        ref = cache.url_secret_ref
        yield good(
            CACHE,
            "External",
            f"The Redis that key {ref.key!r} of Secret {ref.name} names is used, not watched.",
        )
    if store:
        yield _external_store(facts, store.uri)
    own = facts.resource.spec.vector_store.own
    if own and own.is_cluster:
        yield milvus.finding(facts, VECTOR_STORE)


def _external_store(facts: Facts, uri: str) -> Finding:
    """A Milvus that is not ours, as the API's pods see it."""
    if facts.index and facts.index.trouble and not facts.resource.spec.suspend:
        words = (
            f"The Milvus at {uri} does not serve the API's pods: {facts.index.trouble} "
            "Only answers from before are given. See whether it runs, and whether pods of "
            f"namespace {facts.resource.namespace} reach it."
        )
        return bad(VECTOR_STORE, "Unreachable", words, news=News.BAD)
    return good(VECTOR_STORE, "External", f"The Milvus at {uri} is used, not watched.")


# ---- autoscaling ----
def _scaling(facts: Facts) -> Iterator[Finding]:
    """Of several autoscalers, tell of the first that cannot scale."""
    name, spec = facts.resource.name, facts.resource.spec
    scaled = {
        names.api(name): ("spec.api.autoscaling", spec.api.autoscaling),
        names.indexer(name): ("spec.indexer.autoscaling", spec.indexer.autoscaling),
    }
    found = [
        _autoscaler(facts, workload, path, wanted)
        for workload, (path, wanted) in scaled.items()
        if wanted.enabled and not spec.suspend
    ]
    if found:
        words = " ".join(one.message for one in found)
        bad_one = next((one for one in found if not one.holds), None)
        yield bad_one or good(SCALING, "Active", words)


def _autoscaler(facts: Facts, name: str, path: str, wanted: Autoscaling) -> Finding:
    found = facts.child("HorizontalPodAutoscaler", name)
    if found is None:
        return bad(SCALING, "Creating", f"HorizontalPodAutoscaler {name} is not there yet.")
    if facts.child(DEPLOYMENT, name) is None:
        return bad(SCALING, "NothingToScale", f"Deployment {name} is not there yet.")
    conditions = {condition["type"]: condition for condition in found["status"]["conditions"]}
    for kind in ("AbleToScale", "ScalingActive"):
        if kind not in conditions:
            return unknown(
                SCALING, "NotMeasured", f"HorizontalPodAutoscaler {name} has not measured yet."
            )
        if conditions[kind]["status"] != "True":
            return _not_scaling(facts, name, path, conditions[kind])
    more = f", and by {len(wanted.metrics)} more metrics" if wanted.metrics else ""
    return good(
        SCALING,
        "Active",
        f"Deployment {name}: between {wanted.min_replicas} and {wanted.max_replicas} pods, aiming "
        f"at {wanted.target_cpu_utilization_percentage} % of the requested CPU{more}.",
    )


def _not_scaling(facts: Facts, name: str, path: str, condition: Json) -> Finding:
    reason, told = condition["reason"], condition.get("message", "")
    if reason == "ScalingDisabled":
        words = (
            f"Deployment {name} was scaled to 0, which pauses autoscaling. Scale it to 1 or more."
        )
    elif "could not find the requested resource" in told:
        words = (
            "The cluster measures no CPU use, so the number of pods stays as it is. Install "
            f"metrics-server, or set {path}.enabled to false."
        )
    elif reason in ("FailedGetResourceMetric", "FailedGetContainerResourceMetric"):
        words = (
            f"HorizontalPodAutoscaler {name} gets no CPU use of the pods yet, so their number "
            f"stays as it is. If that lasts: kubectl top pod -n {facts.resource.namespace}"
        )
    else:
        words = f"HorizontalPodAutoscaler {name} cannot scale: {told.rstrip('.')}."
    return bad(SCALING, reason, words)
