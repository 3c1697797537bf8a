"""All that a status is computed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import api, names
from ragdeploy_operator.errors import Invalid, NotOwned, ReconcileError
from ragdeploy_operator.objects import Json, Missing, Observation, Ref
from ragdeploy_operator.ownership import is_child
from ragdeploy_operator.status.trouble import Part

_SERVICE_IMAGE = "spec.image, and spec.image.pullSecrets if the registry needs a login"

DEPLOYMENT, STATEFUL_SET = "Deployment", "StatefulSet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What the service says of what it has indexed."""

    documents: int | None = None
    generation: str | None = None
    """Changes when the documents were embedded anew."""
    trouble: str | None = None
    """Why the vector store cannot be asked; what is told beside it is from before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is wanted, what is there, and what stood in the way."""

    resource: RagDeployment
    seen: Observation = field(default_factory=Observation)
    kinds: frozenset[str] = frozenset()
    """Optional kinds that can be used."""
    missing: tuple[Missing, ...] = ()
    """References that lead nowhere."""
    fault: ReconcileError | None = None
    """What ended the reconcile early."""
    adopted: Mapping[str, int] = field(default_factory=dict)
    """Numbers of pods that autoscaling left behind, where they are in force, by Deployment."""
    index: Index | None = None
    """What the service has indexed; None if it could not be asked."""
    leftovers: tuple[Ref, ...] = ()
    """Children that are not wanted any more, kept until the API does without them."""

    @property
    def refusal(self) -> Invalid | NotOwned | None:
        """The fault, if only somebody who changes something can end it."""
        return self.fault if isinstance(self.fault, Invalid | NotOwned) else None

    def child(self, kind: str, name: str) -> Json | None:
        """A child, if it is there and ours."""
        obj = self.seen.children.get(Ref(kind, name))
        return obj if obj and is_child(self.resource, obj) else None

    def pods(self, part: Part) -> list[Json]:
        """Pods of a part, by name."""
        return [pod for pod in self.seen.pods if _is_of(pod, part)]

    def claims(self, part: Part) -> list[Json]:
        """Volume claims of a part."""
        return [claim for claim in self.seen.claims if _is_of(claim, part)]

    @property
    def ready_endpoints(self) -> int:
        """Pods of the API that the Service sends requests to."""
        return ready_endpoints(self.seen.slices)

    @property
    def address(self) -> str:
        """URL of the API inside the cluster."""
        return api.url(self.resource)

    def parts(self) -> Iterator[Part]:
        """The parts that we run, the API first."""
        name, namespace, spec = self.resource.name, self.resource.namespace, self.resource.spec
        yield Part(
            component=names.Component.API,
            workload=DEPLOYMENT,
            name=names.api(name),
            namespace=namespace,
            image_field=_SERVICE_IMAGE,
            resources_field="spec.api.resources",
            placement_field="spec.api",
        )
        yield Part(
            component=names.Component.INDEXER,
            workload=DEPLOYMENT,
            name=names.indexer(name),
            namespace=namespace,
            image_field=_SERVICE_IMAGE,
            resources_field="spec.indexer.resources",
            placement_field="spec.indexer",
        )
        if spec.cache.own:
            yield Part(
                component=names.Component.CACHE,
                workload=STATEFUL_SET,
                name=names.cache(name),
                namespace=namespace,
                image_field="the operator's Redis image (RAGDEPLOY_REDIS_IMAGE)",
                resources_field="spec.cache.managed.resources",
                placement_field="spec.cache.managed",
                storage_field="spec.cache.managed.storage",
            )
        if spec.vector_store.own and not spec.vector_store.own.is_cluster:
            yield Part(
                component=names.Component.VECTOR_STORE,
                workload=STATEFUL_SET,
                name=names.vector_store(name),
                namespace=namespace,
                image_field="spec.vectorStore.managed.image",
                resources_field="spec.vectorStore.managed.resources",
                placement_field="spec.vectorStore.managed",
                storage_field="spec.vectorStore.managed.storage",
            )


def ready_endpoints(slices: Iterable[Json]) -> int:
    """Pods of the API among those that are ready."""
    return sum(found["ready"] for found in slices if component_of(found) == names.Component.API)


def component_of(obj: Json) -> str | None:
    """Which part of its bundle an object belongs to."""
    component: str | None = obj["metadata"].get("labels", {}).get(names.COMPONENT_LABEL)
    return component


def _is_of(obj: Json, part: Part) -> bool:
    return component_of(obj) == part.component
