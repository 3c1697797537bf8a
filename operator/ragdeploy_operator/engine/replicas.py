"""Who decides how many pods there are, and how that changes hands without losing one.

While autoscaling is on, the number is the HorizontalPodAutoscaler's. It becomes
a manager of ``spec.replicas`` only when it first changes the number; leaving the
field out before that would reset it to 1. So we keep writing the number that is
there until somebody else manages it, and then leave it out for good.

When autoscaling is switched off, the number that it had found stays, because
falling back to the ``replicas`` of the spec under load would be an outage. That field
counts again as soon as it is given another value. The Deployment remembers, in
annotations, which value of the field is set aside and which number was adopted.

While the resource is suspended there is no pod, and the Deployment remembers how many
there were. Awake again, that is the number that "is there" to the rules above.

A number taken from the live object is written together with that object's
resource version: if somebody scaled in between, the write fails and the next
reconcile sees the new number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ragdeploy_operator.api.application import Workload
from ragdeploy_operator.engine.projection import OURS, REPLICAS_MANAGERS
from ragdeploy_operator.objects import Json

SET_ASIDE = "ragdeploy.io/replicas-set-aside"
"""Annotation: the value of the spec's ``replicas`` that does not count at present."""

ADOPTED = "ragdeploy.io/replicas-adopted"
"""Annotation: the number that autoscaling left behind, in force instead."""

ASLEEP = "ragdeploy.io/replicas-before-suspend"
"""Annotation: the number of pods to wake up with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What to write about the number of pods of a Deployment.

    ``replicas`` None leaves the number alone. ``from_live`` says that it was
    read from the live Deployment and holds for that version of it only.
    """

    replicas: int | None
    annotations: Mapping[str, str] = field(default_factory=dict)
    from_live: bool = False


def scale(
    part: Workload, *, deployment: Json | None, autoscaler: Json | None, suspended: bool = False
) -> Scale:
    """Decide what to write, from what is wanted and what is there (None: not there)."""
    if suspended:
        return _asleep(part, deployment)
    if deployment is not None and (before := _number(deployment, ASLEEP)) is not None:
        deployment = {
            **deployment,
            "spec": {**deployment["spec"], "replicas": before},
            REPLICAS_MANAGERS: [OURS],
        }
    if part.autoscaling.enabled:
        return _autoscaled(part, deployment, autoscaler)
    return _fixed(part, deployment)


def adopted(deployment: Json | None) -> int | None:
    """The number that autoscaling left behind, where it is in force."""
    return _number(deployment or {}, ADOPTED)


def _number(deployment: Json, annotation: str) -> int | None:
    number = deployment.get("metadata", {}).get("annotations", {}).get(annotation, "")
    return int(number) if number.isdecimal() else None


def _asleep(part: Workload, deployment: Json | None) -> Scale:
    if deployment is None:
        return Scale(replicas=0, annotations={ASLEEP: str(part.first_replicas)})
    known = _number(deployment, ASLEEP)
    number = deployment["spec"]["replicas"] if known is None else known
    notes = deployment["metadata"].get("annotations", {})
    kept = {name: notes[name] for name in (SET_ASIDE, ADOPTED) if name in notes}
    return Scale(replicas=0, annotations={**kept, ASLEEP: str(number)}, from_live=known is None)


def _autoscaled(part: Workload, deployment: Json | None, autoscaler: Json | None) -> Scale:
    notes = {SET_ASIDE: str(part.replicas)}
    scaling = part.autoscaling
    if deployment is None:
        # a Deployment that was deleted comes back at the size that it had
        wanted = (autoscaler or {}).get("status", {}).get("desiredReplicas") or part.first_replicas
        number = min(max(wanted, scaling.min_replicas), scaling.max_replicas)
        return Scale(replicas=number, annotations=notes)
    if deployment.get(REPLICAS_MANAGERS) != [OURS]:
        return Scale(replicas=None, annotations=notes)
    number = max(deployment["spec"]["replicas"], scaling.min_replicas)
    return Scale(replicas=number, annotations=notes, from_live=True)


def _fixed(part: Workload, deployment: Json | None) -> Scale:
    as_written = Scale(replicas=part.replicas)
    if deployment is None:
        return as_written
    notes = deployment["metadata"].get("annotations", {})
    if notes.get(SET_ASIDE) != str(part.replicas):
        return as_written
    known = adopted(deployment)
    number = deployment["spec"]["replicas"] if known is None else known
    if number <= part.replicas:
        return as_written
    kept = {SET_ASIDE: str(part.replicas), ADOPTED: str(number)}
    return Scale(replicas=number, annotations=kept, from_live=known is None)
