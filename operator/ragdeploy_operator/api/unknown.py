"""Fields that a file holds and the resource has not: the API server would drop or refuse them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ragdeploy_operator.api.structural import structural_schema
from ragdeploy_operator.api.v1alpha1 import Spec
from ragdeploy_operator.errors import FieldError


def unknown_fields(spec: Any) -> list[FieldError]:
    """List the fields in a spec that are not in the schema, with what may have been meant."""
    return list(_unknown(spec, structural_schema(Spec), "spec"))


def _unknown(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from _unknown(element, schema.get("items", {}), f"{path}[{index}]")
    if not isinstance(value, Mapping):
        return
    known = schema.get("properties")
    if known is None:  # a map with keys of the user's own, or an object of Kubernetes
        below = schema.get("additionalProperties")
        for name, element in value.items():
            if isinstance(below, Mapping):
                yield from _unknown(element, below, f"{path}.{name}")
        return
    for name, element in value.items():
        if name in known:
            yield from _unknown(element, known[name], f"{path}.{name}")
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            near = get_close_matches(str(name), known, n=1)
            meant = f"did you mean {near[0]}?" if near else f"known are: {', '.join(sorted(known))}"
            yield FieldError(path=f"{path}.{name}", message=f"there is no such field; {meant}")
