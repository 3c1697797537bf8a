"""Copies of all that a reconcile looks at, so that it asks the API server nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from ragdeploy_operator.build import api, names
from ragdeploy_operator.engine import kinds, projection
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.reflector import Reflector, Sink
from ragdeploy_operator.engine.store import Store
from ragdeploy_operator.objects import Json, Key, Kind, Observation, Ref, Selection, key_of
from ragdeploy_operator.status.facts import ready_endpoints

_OURS = f"{names.MANAGED_BY_LABEL}={names.MANAGER}"
_LABELS = {kinds.CLAIM: names.NAME_LABEL}  # claims get their labels from the workload's selector

_PROJECTIONS: Mapping[Kind, projection.Projection] = {
    kinds.SERVICE: projection.exposed,
    kinds.INGRESS: projection.exposed,
    kinds.HTTP_ROUTE: projection.route,
    kinds.MILVUS: projection.milvus,
    kinds.DEPLOYMENT: projection.workload,
    kinds.STATEFUL_SET: projection.workload,
    kinds.AUTOSCALER: projection.autoscaler,
    kinds.POD: projection.pod,
    kinds.CLAIM: projection.claim,
    kinds.ENDPOINT_SLICE: projection.endpoint_slice,
}


def projected(kind: Kind, obj: Json) -> Json:
    """An object of a kind, cut down as it is kept here."""
    return _PROJECTIONS.get(kind, projection.child)(obj)


class Mirror:
    """The stores of all kinds, and the reflectors that feed them.

    Args:
        client: Whom to ask.
        namespaces: Where to look; everywhere if empty.
        on_change: Told which resource is concerned when something changes.
    """

    def __init__(
        self, client: Client, *, namespaces: Iterable[str], on_change: Callable[[Key], None]
    ) -> None:
        self._client = client
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self.resources = Store(projection.custom_resource, owner=key_of, on_change=on_change)
        """The RagDeployments; kopf tells of them, no reflector."""
        self.stores = {
            kind.kind: Store(_PROJECTIONS.get(kind, projection.child), on_change=on_change)
            for kind in (*kinds.CHILDREN, *kinds.OPTIONAL_CHILDREN, *kinds.WITNESSES)
        }
        self._running: dict[Reflector, asyncio.Task[NoReturn]] = {}

    # ---- what it follows ----
    def follow(self, kind: Kind, tasks: asyncio.TaskGroup) -> None:
        """Begin to copy those objects of a kind that carry our label."""
        labels = _LABELS.get(kind, _OURS)
        self.follow_into(self.stores[kind.kind], Selection(kind=kind, labels=labels), tasks)

    def follow_into(self, sink: Sink, wanted: Selection, tasks: asyncio.TaskGroup) -> None:
        """Begin to copy what is wanted into a sink, from every namespace that we look at."""
        for namespace in self._namespaces:
            reflector = Reflector(self._client, replace(wanted, namespace=namespace), sink)
            self._running[reflector] = tasks.create_task(reflector.run(), name=str(wanted))

    def unfollow(self, kind: Kind) -> None:
        """Stop copying a kind that is not served any more, and forget its objects."""
        for reflector in [one for one in self._running if one.wanted.kind == kind]:
            self._running.pop(reflector).cancel()
        self.stores[kind.kind].clear()

    async def synced(self, kind: Kind | None = None) -> None:
        """Wait until everything that is followed, or one kind, has been listed once."""
        for reflector in self.reflectors:
            if kind in (None, reflector.wanted.kind):
                await reflector.synced.wait()

    # ---- what it knows ----
    def observe(self, key: Key) -> Observation:
        """All that is known of one resource."""
        written = (*kinds.CHILDREN, *kinds.OPTIONAL_CHILDREN)
        return Observation(
            children={
                Ref(kind.kind, obj["metadata"]["name"]): obj
                for kind in written
                for obj in self.stores[kind.kind].of(key)
            },
            pods=self.stores[kinds.POD.kind].of(key),
            claims=self.stores[kinds.CLAIM.kind].of(key),
            slices=self.stores[kinds.ENDPOINT_SLICE.kind].of(key),
        )

    def answering(self) -> Mapping[Key, str]:
        """The resources whose API can be asked, and its URL inside the cluster."""
        slices = self.stores[kinds.ENDPOINT_SLICE.kind]
        return {
            key: api.url_of(key.name, namespace=key.namespace)
            for key in self.resources.known(None)
            if ready_endpoints(slices.of(key))
        }

    @property
    def reflectors(self) -> Sequence[Reflector]:
        """All that run."""
        return tuple(self._running)
