"""What the children of a resource must be, from the builders; and where they are not that."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping

from ragdeploy_operator.api import RagDeployment, SecretUse
from ragdeploy_operator.build import BuildContext, Images, build
from ragdeploy_operator.engine.diff import differences
from ragdeploy_operator.settings import OperatorSettings
from tests.controlplane.api import Object
from tests.controlplane.kinds import SECRET, Kind
from tests.operator.bundle import Bundle

IMAGES: Images = OperatorSettings().images


def faults(bundle: Bundle, *, checksums: Mapping[SecretUse, str] | None = None) -> Iterator[str]:
    """Yield what is missing, what is left over, and which fields are not as they are built.

    How many pods the API has is not looked at, nor the annotations that remember it.
    """
    resource = RagDeployment.parse(bundle.get())
    there = bundle.children()
    context = BuildContext(
        images=IMAGES,
        api_key=_value(there, "api-key", "api-key"),
        cache_password=_value(there, "cache", "password"),
        api_replicas=None,
        indexer_replicas=None,
        kinds=frozenset(kind.kind for kind, _ in there) - {"RagDeployment"},
        secret_checksums=checksums or {},
    )
    wanted = {
        (Kind(m["apiVersion"], m["kind"]), m["metadata"]["name"].removeprefix(f"{bundle.name}-")): m
        for m in build(resource, context)
    }
    yield from (f"missing: {kind.kind} {suffix}" for kind, suffix in wanted.keys() - there.keys())
    yield from (f"left over: {kind.kind} {suffix}" for kind, suffix in there.keys() - wanted.keys())
    for ref in wanted.keys() & there.keys():
        [owner] = [o for o in there[ref]["metadata"]["ownerReferences"] if o.get("controller")]
        if owner["uid"] != resource.metadata.uid:
            yield f"{ref[0].kind} {ref[1]} belongs to somebody else"
        yield from (
            f"{ref[0].kind} {ref[1]}: {path}" for path in differences(wanted[ref], there[ref])
        )


def _value(there: Mapping[tuple[Kind, str], Object], suffix: str, key: str) -> str:
    secret = there.get((SECRET, suffix))
    return b64decode(secret["data"][key]).decode() if secret else "not there"
