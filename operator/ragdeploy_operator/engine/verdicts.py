"""What came of applying manifests, so that what is of no use is not tried again and again."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.engine.stamp import stamp_of
from ragdeploy_operator.errors import Invalid
from ragdeploy_operator.objects import Json, Key, Ref


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What came of applying a manifest to an object in a certain state."""

    manifest: str
    state: str
    refusal: Invalid | None
    at: float


class Verdicts:
    """Remembers them for each child of each resource.

    Args:
        valid_for: Seconds after which a refusal may be tried again although nothing of ours has
            changed: it may be the policy that refused which has.
    """

    def __init__(self, *, valid_for: float) -> None:
        self._valid_for = valid_for
        self._verdicts: defaultdict[Key, dict[Ref, _Verdict]] = defaultdict(dict)

    def settle(
        self, resource: RagDeployment, ref: Ref, wanted: Json, there: Json, refusal: Invalid | None
    ) -> None:
        """Remember what came of applying ``wanted`` to ``there``; an absent object is empty."""
        self._verdicts[_key(resource)][ref] = _Verdict(
            _attempt(resource, wanted), _state(there), refusal, _now()
        )

    def is_settled(self, resource: RagDeployment, ref: Ref, wanted: Json, there: Json) -> bool:
        """Whether the same was tried on the same object before, and is not worth a new try.

        Raises:
            Invalid: it was, and was refused.
        """
        verdict = self._verdicts[_key(resource)].get(ref)
        if not verdict or (verdict.manifest, verdict.state) != (
            _attempt(resource, wanted),
            _state(there),
        ):
            return False
        if verdict.refusal:
            if _now() - verdict.at > self._valid_for:
                return False
            raise verdict.refusal
        return True

    def forget(self, resource: Key) -> None:
        """Drop what is known of a resource that is gone."""
        self._verdicts.pop(resource, None)


def _key(resource: RagDeployment) -> Key:
    return Key(resource.namespace, resource.name)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _attempt(resource: RagDeployment, wanted: Json) -> str:
    """What makes a try the same as an earlier one; a new generation is worth a new try."""
    replicas = wanted.get("spec", {}).get("replicas")
    return f"{resource.metadata.generation} {stamp_of(wanted)} {replicas}"


def _state(there: Json) -> str:
    """What an object is, apart from its status."""
    kept = {name: value for name, value in there.items() if name != "status"}
    return json.dumps(kept, sort_keys=True)
