"""Volumes that grow.

A StatefulSet's claim template cannot be edited, and its claims do not follow the
template. So the claims are asked for more themselves, and the StatefulSet is made
anew around its pods, which go on running (see ``Applier``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.quantity import number
from ragdeploy_operator.build import Manifest
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.faults import explain
from ragdeploy_operator.engine.kinds import CLAIM, STATEFUL_SET
from ragdeploy_operator.errors import Invalid
from ragdeploy_operator.objects import Json, Key, Observation, Ref, key_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    where: Key
    size: str
    storage_class: str


class Volumes:
    """Asks for larger volumes; a refusal holds until the resource is edited."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._refused: dict[Key, dict[str, tuple[int, str, Invalid]]] = {}

    async def refusal(
        self, resource: RagDeployment, manifests: Sequence[Manifest], seen: Observation
    ) -> Invalid | None:
        """Why a volume cannot grow as wanted; None if all can, or none has to.

        Asked with ``dryRun=All`` before anything is changed, for an edit that is half done
        is a state that nobody asked for.

        Raises:
            Transient: it cannot be asked now.
        """
        for growth in _growths(manifests, seen):
            if refusal := await self._ask(resource, growth):
                return refusal
        return None

    async def grow(
        self, resource: RagDeployment, manifests: Sequence[Manifest], seen: Observation
    ) -> None:
        """Ask for the sizes that the claim templates of the StatefulSets want.

        Raises:
            Invalid: a storage class does not let volumes grow.
            Transient: it cannot be asked for now.
        """
        for growth in _growths(manifests, seen):
            if refusal := await self._ask(resource, growth, dry_run=False):
                raise refusal
            where = growth.where
            logger.info(
                "%s PersistentVolumeClaim %s: asked for %s",
                where.namespace,
                where.name,
                growth.size,
            )

    def forget(self, resource: Key) -> None:
        """Drop what was learned about a resource that is gone."""
        self._refused.pop(resource, None)

    async def _ask(
        self, resource: RagDeployment, growth: _Growth, *, dry_run: bool = True
    ) -> Invalid | None:
        where, generation = growth.where, resource.metadata.generation
        refusals = self._refused.setdefault(Key(resource.namespace, resource.name), {})
        known = refusals.get(where.name)
        if known and known[:2] == (generation, growth.size):
            return known[2]
        body = {"spec": {"resources": {"requests": {"storage": growth.size}}}}
        try:
            await self._client.merge(
                CLAIM, body, namespace=where.namespace, name=where.name, dry_run=dry_run
            )
        except ApiError as error:
            if dry_run and error.knows_no_dry_run:
                return None
            if error.status != 403 or "resize" not in error.message:
                raise explain(error, Ref(CLAIM.kind, where.name), doing="patch") from error
            refusal = Invalid(
                f"PersistentVolumeClaim {where.name} cannot grow to {growth.size}: storage class "
                f"{growth.storage_class!r} does not allow it. Set "
                "allowVolumeExpansion there and edit this resource, or set the size back.",
                reason="VolumeCannotGrow",
            )
            refusals[where.name] = (generation, growth.size, refusal)
            return refusal
        return None


def _growths(manifests: Sequence[Manifest], seen: Observation) -> list[_Growth]:
    """The claims that are smaller than the templates from which they were made."""
    return [
        _Growth(
            where=key_of(claim),
            size=_size(template),
            storage_class=claim["spec"].get("storageClassName", ""),
        )
        for manifest in manifests
        if manifest["kind"] == STATEFUL_SET.kind
        for template in manifest["spec"]["volumeClaimTemplates"]
        for claim in seen.claims
        if claim["metadata"]["name"].startswith(
            f"{template['metadata']['name']}-{manifest['metadata']['name']}-"
        )
        and claim["status"].get("phase") == "Bound"
        and number(_size(claim)) < number(_size(template))
    ]


def _size(claim: Json) -> str:
    size: str = claim["spec"]["resources"]["requests"]["storage"]
    return size
