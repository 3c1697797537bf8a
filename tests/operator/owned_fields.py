"""The fields of an object that the operator owns, one by one, from its managedFields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.controlplane.api import Object

Path = tuple[Any, ...]
"""Field names, and for an element of a list the values that tell it from the others."""


def owned_fields(obj: Object) -> dict[Path, Any]:
    """Every field that the operator applied, with its value, by path."""
    for entry in obj["metadata"]["managedFields"]:
        if (entry["manager"], entry["operation"]) == ("ragdeploy-operator", "Apply"):
            return dict(_leaves(entry["fieldsV1"], obj, ()))
    raise AssertionError(f"the operator owns nothing of {obj['kind']} {obj['metadata']['name']}")


def pointer(obj: Object, path: Path) -> str:
    """JSON pointer to a path in this very object."""
    tokens, here = [], obj
    for step in path:
        if isinstance(step, frozenset):
            index = next(i for i, item in enumerate(here) if step <= set(_scalars(item)))
            tokens.append(str(index))
            here = here[index]
        else:
            tokens.append(str(step).replace("~", "~0").replace("/", "~1"))
            here = here[step]
    return "/" + "/".join(tokens)


def _leaves(fields: Object, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    below = {name: child for name, child in fields.items() if name != "."}
    if not below:
        yield from _atoms(value, path)
    for name, child in below.items():
        kind, _, rest = name.partition(":")
        if kind == "f":
            yield from _leaves(child, value[rest], (*path, rest))
        elif kind == "k":
            key = frozenset(json.loads(rest).items())
            element = next(item for item in value if key <= set(_scalars(item)))
            yield from _leaves(child, element, (*path, key))


def _atoms(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """What lies below a field that is owned as a whole."""
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _atoms(child, (*path, name))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from _atoms(child, (*path, index))
    else:
        yield path, value


def _scalars(item: Object) -> Iterator[tuple[str, Any]]:
    return ((k, v) for k, v in item.items() if not isinstance(v, dict | list))
