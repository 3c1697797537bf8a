"""One look at one resource: what is wanted, what is there, and the writes between.

Level-triggered: it does not ask what has happened. Whatever woke it, it looks
at everything, from copies in memory, and leaves when nothing is left to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ragdeploy_operator.api import PAUSE, RagDeployment
from ragdeploy_operator.build import Manifest
from ragdeploy_operator.engine import children, sizes
from ragdeploy_operator.engine.apply import Applier
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.desired import Desires
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.events import Recorder
from ragdeploy_operator.engine.faults import CONFLICT, explain
from ragdeploy_operator.engine.kinds import DEPLOYMENT, RAG_DEPLOYMENT
from ragdeploy_operator.engine.mirror import Mirror
from ragdeploy_operator.engine.rehearsal import Rehearsal
from ragdeploy_operator.engine.report import Reporter, ResourceGone
from ragdeploy_operator.engine.visits import Visits
from ragdeploy_operator.engine.volumes import Volumes
from ragdeploy_operator.errors import Invalid, NotOwned, ReconcileError, Transient, Waiting
from ragdeploy_operator.objects import Json, Key, Missing, Observation, Ref
from ragdeploy_operator.status import Facts
from ragdeploy_operator.status.rollout import rollout

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a look at a resource ended."""

    gone: bool = False
    """There is no such resource any more."""
    fault: ReconcileError | None = None
    """Why it could not be finished. The status tells of it."""
    soon: float | None = None
    """Seconds after which the status can be written, if that had to wait."""


class Reconciler:
    """Brings resources to what they should be.

    Args:
        client: The API server.
        mirror: What is there.
        desires: Says what resources should have.
        applier: Writes children.
        rehearsal: Tells whether an edit would be taken as a whole.
        reporter: Writes the status.
        recorder: Writes Events.
        visits: Knows what the applications have indexed.
        optional_kinds: Tells which optional kinds can be used now.
    """

    def __init__(
        self,
        *,
        client: Client,
        mirror: Mirror,
        desires: Desires,
        applier: Applier,
        rehearsal: Rehearsal,
        reporter: Reporter,
        recorder: Recorder,
        visits: Visits,
        optional_kinds: Callable[[], frozenset[str]],
    ) -> None:
        self._client = client
        self._mirror = mirror
        self._desires = desires
        self._applier = applier
        self._rehearsal = rehearsal
        self._volumes = Volumes(client)
        self._reporter = reporter
        self._recorder = recorder
        self._visits = visits
        self._optional_kinds = optional_kinds

    async def reconcile(self, key: Key) -> Outcome:
        """Look at a resource once, and do what is to be done.

        Raises:
            ReconcileError: not even the status could be written.
        """
        body = self._mirror.resources.get(key)
        if body is None or "deletionTimestamp" in body["metadata"]:
            self.forget(key)
            return Outcome(gone=body is None)
        try:
            return await self._work(key, body)
        except ResourceGone:
            logger.info("%s: gone without a word, forgetting it", key)
            self._mirror.resources.forget(key, uid=body["metadata"]["uid"])
            self.forget(key)
            return Outcome(gone=True)

    def forget(self, key: Key) -> None:
        """Drop everything that is kept about a resource that is gone."""
        self._desires.forget(key)
        self._applier.forget(key)
        self._volumes.forget(key)
        self._reporter.forget(key)
        self._visits.forget(key)

    async def _work(self, key: Key, body: Json) -> Outcome:
        if body["metadata"].get("annotations", {}).get(PAUSE) == "true":
            await self._reporter.hold(key, body)
            return Outcome()
        try:
            resource = RagDeployment.parse(body)
        except Invalid as error:
            await self._reporter.refuse(key, body, error)
            return Outcome(fault=error)
        if not body["status"].get("conditions"):
            # somebody sits in front of kubectl: say at once that work has begun
            await self._reporter.report(Facts(resource=resource, kinds=self._optional_kinds()))
        found = _Found()
        try:
            await self._converge(key, resource, body, found)
        except ReconcileError as error:
            if error.reason == CONFLICT:  # over in a moment, and nothing to bother anybody with
                return Outcome(fault=error)
            found.fault = error
            self._tell(resource, error)
        soon = await self._reporter.report(self._facts(key, resource, found))
        return Outcome(fault=found.fault, soon=soon)

    def _facts(self, key: Key, resource: RagDeployment, found: _Found) -> Facts:
        seen = self._mirror.observe(key)
        return Facts(
            resource=resource,
            seen=seen,
            kinds=self._optional_kinds(),
            missing=found.missing,
            fault=found.fault,
            adopted=sizes.adopted_numbers(resource, seen),
            leftovers=found.leftovers,
            index=self._visits.of(key),
        )

    def _tell(self, resource: RagDeployment, error: ReconcileError) -> None:
        """Tell of a failure that will be tried again; the others are news in the status."""
        if isinstance(error, Transient):
            self._recorder.tell(resource, "Warning", error.reason, error.message, action="Apply")

    # ---- towards what is wanted ----
    async def _converge(self, key: Key, resource: RagDeployment, body: Json, found: _Found) -> None:
        desired = await self._desires.of(key, resource)
        found.missing, seen, decisions = desired.missing, desired.seen, desired.decisions
        if body["status"].get("conditions"):
            await self._make_sure_it_exists(resource, seen, desired.ready)
        refusal = await self._volumes.refusal(resource, desired.ready, seen)
        if refusal := refusal or await self._rehearsal.refusal(resource, desired.ready):
            await self._mend(resource, desired.ready, decisions)
            raise refusal
        await self._remove(desired.gone_at_once)
        await self._volumes.grow(resource, desired.ready, seen)
        for tier in children.tiers(desired.ready):
            await self._apply(resource, tier, decisions)
        if self._is_rolled_out(key, resource):
            await self._remove(desired.gone_later)
        else:
            found.leftovers = tuple(desired.gone_later)

    async def _make_sure_it_exists(
        self, resource: RagDeployment, seen: Observation, wanted: Sequence[Manifest]
    ) -> None:
        """Before anything is made again, ask whether it is for somebody who still lives.

        kopf may miss a deletion while the API server is away. Children made for a
        deleted resource would be collected and made again for ever.
        """
        if all(children.ref_of(manifest) in seen.children for manifest in wanted):
            return
        try:
            found = await self._client.get(
                RAG_DEPLOYMENT, namespace=resource.namespace, name=resource.name
            )
        except ApiError as error:
            raise explain(error, Ref(RAG_DEPLOYMENT.kind, resource.name), doing="get") from error
        if found is None or found["metadata"]["uid"] != resource.metadata.uid:
            raise ResourceGone

    async def _mend(
        self,
        resource: RagDeployment,
        manifests: Sequence[Manifest],
        decisions: Mapping[str, sizes.Decision],
    ) -> None:
        """Keep up what runs while an edit is refused: all but the edit itself."""
        kept = [manifest for manifest in manifests if not self._rehearsal.is_edit(manifest)]
        for tier in children.tiers(kept):
            await self._apply(resource, tier, decisions)

    async def _apply(
        self,
        resource: RagDeployment,
        manifests: Sequence[Manifest],
        decisions: Mapping[str, sizes.Decision],
    ) -> None:
        """Apply manifests at the same time; all are tried before one's error counts."""
        results = await asyncio.gather(
            *(self._apply_one(resource, manifest, decisions) for manifest in manifests),
            return_exceptions=True,
        )
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise min(errors, key=_urgency)

    async def _apply_one(
        self, resource: RagDeployment, manifest: Manifest, decisions: Mapping[str, sizes.Decision]
    ) -> None:
        decision = decisions.get(manifest["metadata"]["name"])
        only = decision.only if decision and manifest["kind"] == DEPLOYMENT.kind else None
        change = await self._applier.apply(resource, manifest, only=only)
        if change and change.repaired:
            fields = ", ".join(change.repaired)
            self._recorder.tell(
                resource,
                "Normal",
                "Repaired",
                f"{change.ref} had been changed by somebody else ({fields}) and was put back.",
                action="Apply",
            )

    async def _remove(self, gone: Mapping[Ref, Json]) -> None:
        for ref, obj in gone.items():
            if "deletionTimestamp" not in obj["metadata"]:
                await self._applier.delete(ref.kind, obj)

    def _is_rolled_out(self, key: Key, resource: RagDeployment) -> bool:
        deployments = sizes.deployments(resource, self._mirror.observe(key)).values()
        return all(found is not None and rollout(found).complete for found in deployments)


@dataclass(slots=True)
class _Found:
    """What one look has found out so far."""

    missing: tuple[Missing, ...] = ()
    leftovers: tuple[Ref, ...] = ()
    fault: ReconcileError | None = None


def _urgency(error: BaseException) -> int:
    """Rank of an error among several: a bug first, then what is tried again soonest."""
    ranks = (Transient, NotOwned, Invalid, Waiting)
    return next((rank for rank, kind in enumerate(ranks) if isinstance(error, kind)), -1)
