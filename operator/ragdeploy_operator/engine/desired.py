"""What a resource should have and what it has: the part of a reconcile that writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ragdeploy_operator.api import RagDeployment, SecretUse
from ragdeploy_operator.build import BuildContext, Images, Manifest, build, credentials, names
from ragdeploy_operator.engine import children, sizes
from ragdeploy_operator.engine.kinds import DEPLOYMENT
from ragdeploy_operator.engine.mirror import Mirror
from ragdeploy_operator.engine.references import References
from ragdeploy_operator.objects import Json, Key, Missing, Observation, Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One resource, thought through. Made by ``Desires``."""

    seen: Observation
    decisions: Mapping[str, sizes.Decision]
    """How many pods each Deployment gets, by its name."""
    missing: tuple[Missing, ...]
    """References that lead nowhere."""
    ready: Sequence[Manifest]
    """All that can be applied now: what refers to a missing Secret waits."""
    held_back: Sequence[Manifest]
    """What waits for a missing Secret."""
    gone_at_once: Mapping[Ref, Json]
    """Children that no manifest stands for any more, and that can go before the rollout."""
    gone_later: Mapping[Ref, Json]
    """Those that go when the API has been rolled out without them."""


class Desires:
    """Thinks resources through.

    Args:
        mirror: What is there.
        references: The Secrets that resources refer to.
        images: Images where a resource names none.
        optional_kinds: Tells which optional kinds can be used now.
    """

    def __init__(
        self,
        *,
        mirror: Mirror,
        references: References,
        images: Images,
        optional_kinds: Callable[[], frozenset[str]],
    ) -> None:
        self._mirror = mirror
        self._references = references
        self._images = images
        self._optional_kinds = optional_kinds

    async def of(self, key: Key, resource: RagDeployment) -> Desired:
        """Think a resource through.

        Raises:
            Invalid: it cannot be built.
            Transient: a Secret that it refers to could not be read.
        """
        resolved = await self._references.resolve(key, resource.spec.secret_uses())
        seen = self._mirror.observe(key)
        decisions = sizes.decide(
            resource, seen, version=self._mirror.stores[DEPLOYMENT.kind].version
        )
        context = self._context(resource, seen, decisions, resolved.checksums)
        wanted = [
            children.with_decision(manifest, decisions) for manifest in build(resource, context)
        ]
        # no pod of a suspended resource could fail to start
        missing = () if resource.spec.suspend else resolved.missing
        ready = children.without_held_back(wanted, missing)
        gone = children.leftovers(resource, seen, wanted)
        at_once = {ref: gone[ref] for ref in gone if children.goes_at_once(ref, wanted)}
        return Desired(
            seen=seen,
            decisions=decisions,
            missing=resolved.missing,
            ready=ready,
            held_back=[manifest for manifest in wanted if manifest not in ready],
            gone_at_once=at_once,
            gone_later={ref: gone[ref] for ref in gone if ref not in at_once},
        )

    def forget(self, key: Key) -> None:
        """Drop everything that is kept about a resource that is gone."""
        self._references.forget(key)

    def _context(
        self,
        resource: RagDeployment,
        seen: Observation,
        decisions: Mapping[str, sizes.Decision],
        checksums: Mapping[SecretUse, str],
    ) -> BuildContext:
        name = resource.name
        return BuildContext(
            images=self._images,
            kinds=self._optional_kinds(),
            api_key=children.generated(
                resource, seen, secret=names.api_key(name), key=credentials.API_KEY
            ),
            cache_password=children.generated(
                resource, seen, secret=names.cache(name), key=credentials.CACHE_PASSWORD
            ),
            secret_checksums=checksums,
            api_replicas=decisions[names.api(name)].scale.replicas,
            indexer_replicas=decisions[names.indexer(name)].scale.replicas,
            stores_asleep=sizes.all_asleep(resource, seen),
        )
