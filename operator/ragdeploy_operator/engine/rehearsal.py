"""Asks the API server, before anything is changed, whether it would take all of an edit.

An edit that changes several children must not stop half way: a ConfigMap that is new beside a
Deployment that was refused is a state that nobody asked for. So all changes are first sent with
``dryRun=All``, which passes validation and admission and stores nothing
(https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import Manifest
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.diff import differences
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.faults import IMMUTABLE, explain
from ragdeploy_operator.engine.kinds import DEPLOYMENT
from ragdeploy_operator.engine.stamp import content, stamp_of, stamped
from ragdeploy_operator.engine.store import Store
from ragdeploy_operator.engine.verdicts import Verdicts
from ragdeploy_operator.errors import Invalid
from ragdeploy_operator.objects import Json, Kind, Ref, key_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    ref: Ref
    wanted: Json
    there: Json | None

    @property
    def is_edit(self) -> bool:
        """Whether the manifest is another than the one that was applied last."""
        return self.there is not None and stamp_of(self.there) != stamp_of(self.wanted)


class Rehearsal:
    """Finds out whether the changes of a resource would be taken.

    Args:
        client: Whom to ask.
        kinds: The kinds that may be written, by name.
        stores: What is there, by name of the kind.
        verdicts: Where refusals are remembered, so that nothing is asked twice.
    """

    def __init__(
        self,
        client: Client,
        *,
        kinds: Mapping[str, Kind],
        stores: Mapping[str, Store],
        verdicts: Verdicts,
    ) -> None:
        self._client = client
        self._kinds = kinds
        self._stores = stores
        self._verdicts = verdicts

    async def refusal(
        self, resource: RagDeployment, manifests: Sequence[Manifest]
    ) -> Invalid | None:
        """Why the API server would not take an edit; None if it would, or need not be asked.

        Nothing is asked as long as nothing runs that could come to harm, and for one change
        alone, which is taken or refused as a whole anyway. A conflict or an outage is no
        refusal: the writes themselves will meet it, and are tried again.
        """
        changes = [change for manifest in manifests if (change := self._change(manifest))]
        runs = any(
            manifest["kind"] == DEPLOYMENT.kind and self._there(manifest) for manifest in manifests
        )
        if not runs or len(changes) < 2 or not any(change.is_edit for change in changes):
            return None
        for change in changes:
            try:
                self._verdicts.is_settled(resource, change.ref, change.wanted, change.there or {})
            except Invalid as known:
                return known
        found = await asyncio.gather(*(self._ask(resource, change) for change in changes))
        return next(filter(None, found), None)

    def is_edit(self, manifest: Manifest) -> bool:
        """Whether the child is there and its manifest is not the one that was applied last."""
        change = self._change(manifest)
        return change is not None and change.is_edit

    def _change(self, manifest: Manifest) -> _Change | None:
        wanted, there = stamped(manifest), self._there(manifest)
        if there is not None and next(differences(content(wanted), there), None) is None:
            return None
        ref = Ref(manifest["kind"], manifest["metadata"]["name"])
        return _Change(ref=ref, wanted=wanted, there=there)

    def _there(self, manifest: Manifest) -> Json | None:
        return self._stores[manifest["kind"]].get(key_of(manifest))

    async def _ask(self, resource: RagDeployment, change: _Change) -> Invalid | None:
        try:
            await self._client.apply(
                self._kinds[change.ref.kind], change.wanted, force=True, dry_run=True
            )
        except ApiError as error:
            if error.knows_no_dry_run:
                return None
            fault = explain(error, change.ref, doing="apply")
            if not isinstance(fault, Invalid) or fault.reason == IMMUTABLE:
                return None
            logger.info("%s: %s would be refused", key_of(change.wanted).namespace, change.ref)
            self._verdicts.settle(resource, change.ref, change.wanted, change.there or {}, fault)
            return fault
        return None
