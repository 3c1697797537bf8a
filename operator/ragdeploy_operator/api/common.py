"""Parts that several other parts use: references to Secrets, images, resources, storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints, WithJsonSchema

from ragdeploy_operator.api.model import Model, Rule
from ragdeploy_operator.api.quantity import Quantity, number

ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253),
]

AsInCluster = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""A piece of another Kubernetes object. Spelt out, such pieces would be most of the definition, so
they are passed on as they stand; the API server checks them when they become part of a child."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse:
    """A Secret of the user's that the bundle reads; ``key`` None means all its keys."""

    path: str
    name: str
    key: str | None

    def __str__(self) -> str:
        wanted = f"key {self.key!r} of " if self.key else ""
        return f"{self.path}: {wanted}Secret {self.name!r}"


class SecretKeyRef(Model):
    """One key of a Secret in the resource's own namespace."""

    name: ObjectName = Field(description="Name of the Secret.")
    key: str = Field(
        pattern=r"^[-._a-zA-Z0-9]+$", max_length=253, description="Key in the Secret's data."
    )


class SecretRef(Model):
    """A Secret in the resource's own namespace."""

    name: ObjectName = Field(description="Name of the Secret.")


class PullPolicy(StrEnum):
    """When the kubelet fetches an image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Image(Model):
    """A container image. What is left out comes from the operator's own default image."""

    repository: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?$",
        max_length=255,
        description="Registry and name, such as registry.example.com/team/name.",
    )
    tag: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", max_length=128, description="Tag."
    )
    digest: str | None = Field(
        None,
        pattern=r"^sha256:[a-f0-9]{64}$",
        max_length=71,
        description="Digest, sha256: and 64 hexadecimal digits; it wins over the tag.",
    )
    pull_policy: PullPolicy = Field(
        PullPolicy.IF_NOT_PRESENT, description="When the image is pulled."
    )


class ServiceImage(Image):
    """The image of the query and index service."""

    pull_secrets: tuple[SecretRef, ...] = Field(
        (),
        max_length=16,
        description="Secrets with registry credentials, for every pod of this resource.",
    )


SIZE = "Size of the volume; it can grow later but not shrink."

Amounts = Annotated[
    dict[Annotated[str, StringConstraints(max_length=253)], Quantity],
    Field(max_length=16),
]


class Resources(Model):
    """CPU, memory and other resources of a container. What is given replaces the whole default."""

    requests: Amounts | None = Field(
        None, description="What the scheduler sets aside, by resource name."
    )
    limits: Amounts | None = Field(None, description="What the container may not exceed.")

    rules = (
        Rule(
            cel="!has(self.requests) || !has(self.limits) || self.requests.all(name, "
            "!(name in self.limits) || quantity(string(self.requests[name]))"
            ".compareTo(quantity(string(self.limits[name]))) <= 0)",
            message="a request must not exceed the limit of the same resource",
            holds=lambda self: _within(self.requests or {}, self.limits or {}),
        ),
    )

    def names(self) -> frozenset[str]:
        """Resources that have a request; a limit alone is a request of the same amount."""
        return frozenset(self.requests or ()) | frozenset(self.limits or ())


def _within(requests: Mapping[str, str], limits: Mapping[str, str]) -> bool:
    return all(
        name not in limits or number(asked) <= number(limits[name])
        for name, asked in requests.items()
    )


def volume_rules(default_size: str) -> tuple[Rule, ...]:
    """Rules of a part whose data may lie on a volume of our own.

    A StatefulSet's volume can grow but not shrink, and cannot move to another
    class. A part that was or becomes external has no volume to keep.
    """
    moved = "has(self.external) || has(oldSelf.external) || "
    # has() and not the shorter .?: the estimate of a rule's cost takes optionals as boundless
    size = f"quantity(has({{0}}.managed) ? string({{0}}.managed.storage.size) : '{default_size}')"
    class_name = (
        "(has({0}.managed) && has({0}.managed.storage.className)"
        " ? {0}.managed.storage.className : '')"
    )
    return (
        Rule(
            cel="!(has(self.managed) && has(self.external))",
            message="managed and external exclude each other: keep one of them",
            holds=lambda self: self.managed is None or self.external is None,
        ),
        Rule(
            cel=f"{moved}{size.format('self')}.compareTo({size.format('oldSelf')}) >= 0",
            message="a volume cannot shrink: keep managed.storage.size at least as large as it is",
        ),
        Rule(
            cel=f"{moved}{class_name.format('self')} == {class_name.format('oldSelf')}",
            message="managed.storage.className cannot change once the volume is there: "
            "make a new resource with the other class and index into it",
        ),
    )


class Storage(Model):
    """A volume."""

    size: Quantity = Field(description=SIZE)
    class_name: ObjectName | None = Field(
        None,
        description="Storage class; the cluster's default when absent. It cannot change later.",
    )

    rules = (
        Rule(
            cel="quantity(string(self.size)).isGreaterThan(quantity('0'))",
            message="storage.size must be more than nothing",
            field=".size",
            holds=lambda self: number(self.size) > 0,
        ),
    )
