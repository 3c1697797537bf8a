"""How many pods each Deployment of one resource gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.application import Workload
from ragdeploy_operator.build import names
from ragdeploy_operator.engine.kinds import AUTOSCALER, DEPLOYMENT
from ragdeploy_operator.engine.replicas import Scale, adopted, scale
from ragdeploy_operator.objects import Json, Key, Observation, Ref
from ragdeploy_operator.ownership import is_child
from ragdeploy_operator.status.facts import component_of
from ragdeploy_operator.status.trouble import is_running


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to write about the replicas of one Deployment, and of which version that holds."""

    scale: Scale
    version: str | None

    @property
    def only(self) -> str | None:
        """The resource version to which alone it may be written; None for any."""
        return self.version if self.scale.from_live else None


def decide(
    resource: RagDeployment, seen: Observation, *, version: Callable[[Key], str | None]
) -> Mapping[str, Decision]:
    """Decide about each Deployment, by its name; ``version`` is that of a Deployment seen."""
    found = deployments(resource, seen)
    return {
        name: Decision(
            scale=scale(
                workload,
                deployment=found[name],
                autoscaler=_child(resource, seen, Ref(AUTOSCALER.kind, name)),
                suspended=resource.spec.suspend,
            ),
            # of what was seen, not of what is there by the time it is written
            version=version(Key(resource.namespace, name)),
        )
        for name, workload in _workloads(resource).items()
    }


def all_asleep(resource: RagDeployment, seen: Observation) -> bool:
    """Whether the resource is suspended and no pod that uses the stores is left."""
    callers = (names.Component.API, names.Component.INDEXER)
    return resource.spec.suspend and not any(
        is_running(pod) and component_of(pod) in callers for pod in seen.pods
    )


def adopted_numbers(resource: RagDeployment, seen: Observation) -> Mapping[str, int]:
    """Numbers that autoscaling left behind, where they are in force, by Deployment."""
    numbers = {name: adopted(found) for name, found in deployments(resource, seen).items()}
    return {name: number for name, number in numbers.items() if number is not None}


def deployments(resource: RagDeployment, seen: Observation) -> Mapping[str, Json | None]:
    """The Deployments that the resource should have, by name; None for one that is not there."""
    return {
        name: _child(resource, seen, Ref(DEPLOYMENT.kind, name)) for name in _workloads(resource)
    }


def _workloads(resource: RagDeployment) -> dict[str, Workload]:
    name, spec = resource.name, resource.spec
    return {names.api(name): spec.api, names.indexer(name): spec.indexer}


def _child(resource: RagDeployment, seen: Observation, ref: Ref) -> Json | None:
    obj = seen.children.get(ref)
    return obj if obj and is_child(resource, obj) else None
