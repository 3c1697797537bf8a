"""Volumes that grow.

A StatefulSet's claim template cannot be edited, and its claims do not follow the
template. So the claims are asked for more themselves, and the StatefulSet is made
anew around its pods, which go on running (see ``Applier``).
"""

from __future__ import annotations

import logging

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.quantity import number
from ragdeploy_operator.build import Manifest
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.faults import explain
from ragdeploy_operator.engine.kinds import CLAIM
from ragdeploy_operator.errors import Invalid
from ragdeploy_operator.objects import Json, Key, Observation, Ref, key_of

logger = logging.getLogger(__name__)


class Volumes:
    """Asks for larger volumes; a refusal holds until the resource is edited."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._refused: dict[Key, dict[str, tuple[int, str, Invalid]]] = {}

    async def grow(
        self, resource: RagDeployment, stateful_set: Manifest, seen: Observation
    ) -> None:
        """Ask for the size that the claim templates of a StatefulSet want.

        Raises:
            Invalid: the storage class does not let volumes grow.
            Transient: it cannot be asked for now.
        """
        for template in stateful_set["spec"]["volumeClaimTemplates"]:
            prefix = f"{template['metadata']['name']}-{stateful_set['metadata']['name']}-"
            wanted = _size(template)
            for claim in seen.claims:
                if (
                    claim["metadata"]["name"].startswith(prefix)
                    and claim["status"].get("phase") == "Bound"
                    and number(_size(claim)) < number(wanted)
                ):
                    await self._grow(resource, claim, wanted)

    def forget(self, resource: Key) -> None:
        """Drop what was learned about a resource that is gone."""
        self._refused.pop(resource, None)

    async def _grow(self, resource: RagDeployment, claim: Json, size: str) -> None:
        where, generation = key_of(claim), resource.metadata.generation
        refusals = self._refused.setdefault(Key(resource.namespace, resource.name), {})
        known = refusals.get(where.name)
        if known and known[:2] == (generation, size):
            raise known[2]
        body = {"spec": {"resources": {"requests": {"storage": size}}}}
        try:
            await self._client.merge(CLAIM, body, namespace=where.namespace, name=where.name)
        except ApiError as error:
            if error.status != 403 or "resize" not in error.message:
                raise explain(error, Ref(CLAIM.kind, where.name), doing="patch") from error
            refusal = Invalid(
                f"PersistentVolumeClaim {where.name} cannot grow to {size}: storage class "
                f"{claim['spec'].get('storageClassName', '')!r} does not allow it. Set "
                "allowVolumeExpansion there and edit this resource, or set the size back.",
                reason="VolumeCannotGrow",
            )
            refusals[where.name] = (generation, size, refusal)
            raise refusal from error
        logger.info("%s PersistentVolumeClaim %s: asked for %s", where.namespace, where.name, size)


def _size(claim: Json) -> str:
    size: str = claim["spec"]["resources"]["requests"]["storage"]
    return size
