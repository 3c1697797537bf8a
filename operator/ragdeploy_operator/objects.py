"""What things are called here: JSON objects, keys of resources, kinds, what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ragdeploy_operator.api import SecretUse

Json = dict[str, Any]


class Key(NamedTuple):
    """A RagDeployment, by where it is. What the queue holds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Ref(NamedTuple):
    """A child within the namespace of its resource."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A namespaced kind of the API, and where it is served."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """As it stands in a manifest: ``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As RBAC and CRDs name it: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(
        self,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """URL path of the kind, of an object, or of an object's subresource."""
        parts = ["/apis" if self.group else "/api", self.api_version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        return "/".join([*parts, *filter(None, (self.plural, name, subresource))])

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some objects of a kind: of one namespace or all, by label or all, whole or not."""

    kind: Kind
    namespace: str | None = None
    labels: str | None = None
    metadata_only: bool = False

    def __str__(self) -> str:
        what = f"metadata of {self.kind.resource}" if self.metadata_only else self.kind.resource
        return f"{what} in {self.namespace or 'all namespaces'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is there of one resource; all objects cut down to what matters of them."""

    children: Mapping[Ref, Json] = field(default_factory=dict)
    """Objects of the kinds that we write, whether the resource controls them or not."""
    pods: Sequence[Json] = ()
    claims: Sequence[Json] = ()
    slices: Sequence[Json] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A reference to a Secret that leads nowhere yet."""

    use: SecretUse
    why: str
    """What is the matter with the Secret, as the end of a sentence: ``is empty``."""
    is_absent: bool = False
    """There is no such Secret at all."""


def key_of(obj: Mapping[str, Any]) -> Key:
    """Namespace and name of an object."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def controller_of(obj: Mapping[str, Any]) -> Json | None:
    """The owner reference of the object's controller, if it has one."""
    for reference in obj["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            found: Json = reference
            return found
    return None
