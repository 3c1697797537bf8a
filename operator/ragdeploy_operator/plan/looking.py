"""Looks at a cluster as the operator does, and says what it would do; writes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.unknown import unknown_fields
from ragdeploy_operator.build import Images, Manifest, names
from ragdeploy_operator.engine import children, kinds
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.desired import Desires
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.faults import IMMUTABLE, explain
from ragdeploy_operator.engine.mirror import Mirror, projected
from ragdeploy_operator.engine.references import References, SecretVersions
from ragdeploy_operator.engine.stamp import stamped
from ragdeploy_operator.errors import Invalid, NotOwned
from ragdeploy_operator.objects import Json, Key, Kind, Ref, Selection, key_of
from ragdeploy_operator.ownership import check_owner
from ragdeploy_operator.plan.steps import Plan, Step, deletion, step_of, waiting
from ragdeploy_operator.settings import OperatorSettings

_CHILDREN = {kind.kind: kind for kind in (*kinds.CHILDREN, *kinds.OPTIONAL_CHILDREN)}
_NOT_YET = "00000000-0000-0000-0000-000000000000"
_OPERATOR = "app.kubernetes.io/name=ragdeploy-operator"
_IMAGE_VARIABLES = {
    "RAGDEPLOY_SERVICE_IMAGE": "service",
    "RAGDEPLOY_REDIS_IMAGE": "redis",
    "RAGDEPLOY_MILVUS_IMAGE": "milvus",
}


async def plan(client: Client, body: Json, *, server: bool) -> Plan:
    """Say what would happen if a RagDeployment were applied.

    Args:
        client: The cluster, as somebody sees it who may read what the operator reads.
        body: The resource as its file has it, with a namespace.
        server: Let the API server try everything, with ``dryRun=All``. It then counts what
            defaults, rules and webhooks make of it; that takes the right to write.

    Raises:
        ReconcileError: it would be refused, or the cluster cannot be looked at.
    """
    try:
        return await _Look(client, body, server=server).plan()
    except ApiError as error:
        raise explain(error, Ref(body["kind"], body["metadata"]["name"]), doing="read") from error


class _Look:
    def __init__(self, client: Client, body: Json, *, server: bool) -> None:
        self._client = client
        self._body = body
        self._server = server
        self._key = key_of(body)
        self._mirror = Mirror(client, namespaces=[self._key.namespace], on_change=_ignore)
        self._notes: list[str] = []

    async def plan(self) -> Plan:
        if unknown := unknown_fields(self._body.get("spec")):
            raise Invalid.at(unknown)
        live = await self._client.get(
            kinds.RAG_DEPLOYMENT, namespace=self._key.namespace, name=self._key.name
        )
        resource = RagDeployment.parse(await self._as_it_would_be(live))
        usable = [kind for kind in kinds.OPTIONAL_CHILDREN if await self._client.serves(kind)]
        await self._fill(usable, asleep=resource.spec.suspend)
        versions = SecretVersions(on_change=_ignore)
        secrets = Selection(kind=kinds.SECRET, namespace=self._key.namespace, metadata_only=True)
        async for secret in self._all(secrets):
            versions.put(secret)
        desires = Desires(
            mirror=self._mirror,
            references=References(self._client, versions),
            images=await self._images(),
            optional_kinds=lambda: frozenset(kind.kind for kind in usable),
        )
        desired = await desires.of(self._key, resource)
        steps: list[Step] = []
        refusals: list[str] = []
        for manifest in desired.ready:
            try:
                if step := await self._step(resource, manifest):
                    steps.append(step)
            except (Invalid, NotOwned) as refusal:
                refusals.append(refusal.message)
        unchanged = len(desired.ready) - len(steps) - len(refusals)
        steps += [waiting(manifest, desired.missing) for manifest in desired.held_back]
        steps += [deletion(ref) for ref in desired.gone_at_once]
        steps += [
            replace(deletion(ref), because=("once the API has been rolled out without it",))
            for ref in desired.gone_later
        ]
        return Plan(
            namespace=self._key.namespace,
            name=self._key.name,
            is_new=live is None,
            steps=steps,
            unchanged=unchanged,
            refusals=refusals,
            notes=self._notes,
        )

    async def _as_it_would_be(self, live: Json | None) -> Json:
        """The resource as the API server would hold it."""
        if live is None:
            if self._server:
                return await self._client.create(kinds.RAG_DEPLOYMENT, self._body, dry_run=True)
            metadata = {**self._body["metadata"], "uid": _NOT_YET, "generation": 1}
            return {**self._body, "metadata": metadata}
        spec = self._body.get("spec") or {}
        edited = {**live, "spec": spec}
        if self._server:
            return await self._client.replace(kinds.RAG_DEPLOYMENT, edited, dry_run=True)
        return edited

    async def _fill(self, usable: Sequence[Kind], *, asleep: bool) -> None:
        for kind in (*kinds.CHILDREN, *usable, *kinds.WITNESSES):
            if asleep and kind == kinds.POD:
                continue  # the stores go to sleep when the last pod has gone: plan for that too
            wanted = Selection(
                kind=kind,
                namespace=self._key.namespace,
                labels=f"{names.NAME_LABEL}={self._key.name}",
            )
            async for obj in self._all(wanted):
                self._mirror.stores[kind.kind].put(obj)

    async def _all(self, wanted: Selection) -> AsyncIterator[Json]:
        async for page, _ in self._client.pages(wanted):
            for obj in page:
                yield obj

    async def _step(self, resource: RagDeployment, manifest: Manifest) -> Step | None:
        ref = children.ref_of(manifest)
        there = self._mirror.stores[ref.kind].get(key_of(manifest))
        if there is None:
            found = await self._client.get(
                _CHILDREN[ref.kind], namespace=resource.namespace, name=ref.name
            )
            if found is not None:  # without our label
                check_owner(resource, ref, found)
        else:
            check_owner(resource, ref, there)
        step = step_of(manifest, there)
        if step is None or not self._server:
            return step
        answer = await self._tried(ref, manifest)
        return step if answer is None else step_of(manifest, there, answer=answer)

    async def _tried(self, ref: Ref, manifest: Manifest) -> Json | None:
        """What the API server would make of it; None if it can only be made anew."""
        kind = _CHILDREN[ref.kind]
        try:
            answer = await self._client.apply(kind, stamped(manifest), force=True, dry_run=True)
        except ApiError as error:
            if error.knows_no_dry_run:
                self._notes.append(f"{ref} could not be tried: {error.message}")
                return None
            fault = explain(error, ref, doing="apply")
            if fault.reason == IMMUTABLE:
                return None
            raise fault from error
        return projected(kind, answer)

    async def _images(self) -> Images:
        """The operator's own images, as its Deployment has them."""
        settings = OperatorSettings()
        images: dict[str, Any] = {}
        try:
            async for found in self._all(Selection(kind=kinds.DEPLOYMENT, labels=_OPERATOR)):
                for container in found["spec"]["template"]["spec"]["containers"]:
                    for variable in container.get("env", ()):
                        if field := _IMAGE_VARIABLES.get(variable["name"]):
                            images[field] = variable["value"]
        except ApiError as error:
            if error.status != 403:
                raise
        if not images:
            self._notes.append(
                "The operator's Deployment was not found, so its default images are assumed "
                "to be this version's."
            )
        return replace(settings.images, **images)


def _ignore(_: Key) -> None:
    """Nobody waits for news."""
