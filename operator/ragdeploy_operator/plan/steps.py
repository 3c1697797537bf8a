"""What would happen to each child, from what is wanted and what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ragdeploy_operator.build import Manifest, names
from ragdeploy_operator.engine.diff import Difference, compare
from ragdeploy_operator.engine.stamp import content, stamped
from ragdeploy_operator.objects import Json, Missing, Ref


class Action(StrEnum):
    """What happens to a child."""

    CREATE = "create"
    CHANGE = "change"
    RECREATE = "recreate"
    DELETE = "delete"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field, before and after as text; None where it is not set, or must not be shown."""

    path: str
    before: str | None
    after: str | None
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one child.

    ``pods`` are as many as run now and are replaced; ``because`` says why, or what it waits for.
    """

    action: Action
    kind: str
    name: str
    fields: Sequence[FieldChange] = ()
    rolls: bool = False
    pods: int = 0
    because: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would happen to one resource."""

    namespace: str
    name: str
    is_new: bool
    steps: Sequence[Step]
    unchanged: int
    refusals: Sequence[str] = ()
    """Why the API server or the operator would not do it."""
    notes: Sequence[str] = ()

    @property
    def changes(self) -> bool:
        """Whether anything would happen."""
        return bool(self.steps)

    def as_json(self) -> Json:
        """All of it as JSON content."""
        return asdict(self)


_ROLLING = frozenset({"Deployment", "StatefulSet"})

# The fields of a StatefulSet's spec that may be edited (validation in k8s.io/kubernetes).
_STATEFUL_SET_FIELDS = frozenset(
    {
        "minReadySeconds",
        "ordinals",
        "persistentVolumeClaimRetentionPolicy",
        "replicas",
        "revisionHistoryLimit",
        "template",
        "updateStrategy",
    }
)

_CHECKSUMS = {
    names.CONFIG_CHECKSUM: "its settings change",
    names.SECRETS_CHECKSUM: "a Secret that it reads has changed",
}

_OUR_NOTES = "ragdeploy.io/"

_LONGEST = 60


def step_of(manifest: Manifest, there: Json | None, *, answer: Json | None = None) -> Step | None:
    """What applying ``manifest`` to what is ``there`` does; None if nothing.

    Args:
        manifest: What is wanted.
        there: What is there, cut down as the operator keeps it.
        answer: What the API server says would come of it, cut down likewise. Without it,
            defaults and what webhooks would add are not known.
    """
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if there is None:
        return Step(action=Action.CREATE, kind=kind, name=name)
    found = list(_found(manifest, there, answer))
    if not found:
        return None
    fields = tuple(_field(kind, difference) for difference in found)
    anew = kind == "StatefulSet" and any(
        field.path.startswith("spec.") and _second(field.path) not in _STATEFUL_SET_FIELDS
        for field in fields
    )
    rolls = kind in _ROLLING and any(field.path.startswith("spec.template") for field in fields)
    shown = tuple(field for field in fields if not _is_bookkeeping(field.path))
    because = list(_reasons(fields)) if rolls else []
    if not shown and not because:
        because = ["notes of the operator's own"]
    return Step(
        action=Action.RECREATE if anew else Action.CHANGE,
        kind=kind,
        name=name,
        fields=shown,
        rolls=rolls,
        pods=there.get("status", {}).get("replicas", 0) if rolls else 0,
        because=because,
    )


def waiting(manifest: Manifest, missing: Sequence[Missing]) -> Step:
    """The step of a manifest that waits for Secrets."""
    return Step(
        action=Action.WAIT,
        kind=manifest["kind"],
        name=manifest["metadata"]["name"],
        because=tuple(f"Secret {one.use.name} ({one.use.path}) {one.why}" for one in missing),
    )


def deletion(ref: Ref) -> Step:
    """The step of a child that no manifest stands for any more."""
    return Step(action=Action.DELETE, kind=ref.kind, name=ref.name)


def _found(manifest: Manifest, there: Json, answer: Json | None) -> Iterator[Difference]:
    if answer is None:
        yield from compare(content(stamped(manifest)), there)
        return
    seen = set()
    for difference in compare(answer, there):
        seen.add(difference.path)
        yield difference
    for difference in compare(there, answer):  # what would go
        if difference.path not in seen:
            yield Difference(difference.path, difference.there, difference.wanted)


def _is_bookkeeping(path: str) -> bool:
    return path == "metadata.generation" or f"annotations.{_OUR_NOTES}" in path


def _field(kind: str, difference: Difference) -> FieldChange:
    hidden = kind == "Secret" and not difference.path.startswith("metadata")
    return FieldChange(
        path=difference.path,
        before=None if hidden else _text(difference.there),
        after=None if hidden else _text(difference.wanted),
        hidden=hidden,
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, Mapping | list):
        return "{...}" if isinstance(value, Mapping) else "[...]"
    text = str(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _reasons(fields: Sequence[FieldChange]) -> Iterator[str]:
    for field in fields:
        if not field.path.startswith("spec.template"):
            continue
        known = [why for annotation, why in _CHECKSUMS.items() if annotation in field.path]
        yield known[0] if known else field.path.removeprefix("spec.template.")


def _second(path: str) -> str:
    return path.split(".")[1].partition("[")[0]
