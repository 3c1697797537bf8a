"""The children of one resource, taken together: in which order, what is held back, what goes."""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import Manifest
from ragdeploy_operator.engine.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    HTTP_ROUTE,
    INGRESS,
    MILVUS,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    STATEFUL_SET,
)
from ragdeploy_operator.engine.sizes import Decision
from ragdeploy_operator.objects import Json, Missing, Observation, Ref
from ragdeploy_operator.ownership import is_child

_TIERS = {
    DEPLOYMENT.kind: 1,
    MILVUS.kind: 1,
    STATEFUL_SET.kind: 1,
    AUTOSCALER.kind: 2,
    HTTP_ROUTE.kind: 2,
    INGRESS.kind: 2,
    PROMETHEUS_RULE.kind: 2,
    SERVICE_MONITOR.kind: 2,
}

_GO_AT_ONCE = frozenset(
    {AUTOSCALER.kind, HTTP_ROUTE.kind, INGRESS.kind, PROMETHEUS_RULE.kind, SERVICE_MONITOR.kind}
)


def ref_of(manifest: Manifest) -> Ref:
    """Kind and name of a manifest."""
    return Ref(manifest["kind"], manifest["metadata"]["name"])


def tiers(manifests: Iterable[Manifest]) -> list[list[Manifest]]:
    """Sort manifests into tiers; those of one tier can be applied at the same time.

    What pods read and are called by comes before the pods, and what looks after
    pods comes after them.
    """
    ranked = sorted(manifests, key=_tier)
    return [list(tier) for _, tier in groupby(ranked, key=_tier)]


def without_held_back(manifests: Iterable[Manifest], missing: Iterable[Missing]) -> list[Manifest]:
    """Leave out what refers to a missing Secret.

    Applied, it would only replace pods that work by pods that cannot start.
    """
    names = {one.use.name for one in missing}
    return [manifest for manifest in manifests if not names & set(_secrets_in(manifest))]


def with_decision(manifest: Manifest, decisions: Mapping[str, Decision]) -> Manifest:
    """Note on a Deployment what was decided about its number of pods."""
    if manifest["kind"] != DEPLOYMENT.kind:
        return manifest
    metadata = manifest["metadata"]
    decision = decisions[metadata["name"]]
    notes = {**metadata.get("annotations", {}), **decision.scale.annotations}
    return {**manifest, "metadata": {**metadata, "annotations": notes}}


def leftovers(
    resource: RagDeployment, seen: Observation, wanted: Iterable[Manifest]
) -> dict[Ref, Json]:
    """Children that no manifest stands for any more."""
    kept = {ref_of(manifest) for manifest in wanted}
    return {
        ref: obj
        for ref, obj in seen.children.items()
        if ref not in kept and is_child(resource, obj)
    }


def goes_at_once(ref: Ref, wanted: Iterable[Manifest]) -> bool:
    """Whether a leftover can go before the API has been rolled out without it.

    An autoscaler even must, or it would go on scaling what it does not own any
    more; a cache or a vector store serves the API's old pods to their end, and a
    network policy lets them reach it. Unless there are to be none at all: then one
    of them may be what keeps the new pods from becoming ready.
    """
    if ref.kind == NETWORK_POLICY.kind:
        return all(manifest["kind"] != ref.kind for manifest in wanted)
    return ref.kind in _GO_AT_ONCE


def generated(resource: RagDeployment, seen: Observation, *, secret: str, key: str) -> str:
    """Value of a Secret that we make: the live one, or a fresh random one if there is none."""
    found = seen.children.get(Ref("Secret", secret))
    if found and is_child(resource, found) and (value := found.get("data", {}).get(key)):
        return b64decode(value).decode()
    return secrets.token_urlsafe(32)


def _tier(manifest: Manifest) -> int:
    return _TIERS.get(manifest["kind"], 0)


def _secrets_in(manifest: Any) -> Iterator[str]:
    """Yield the names of the Secrets that a pod template refers to."""
    if isinstance(manifest, Mapping):
        for field, value in manifest.items():
            if field == "secretName":
                yield value
            elif field in ("secretKeyRef", "secretRef"):
                yield value["name"]
            else:
                yield from _secrets_in(value)
    elif isinstance(manifest, Sequence) and not isinstance(manifest, str):
        for element in manifest:
            yield from _secrets_in(element)
