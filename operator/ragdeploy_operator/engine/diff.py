"""Where what is wanted differs from what is there.

Wanted is a part of there: fields that others added (defaults, sidecars, labels)
are none of our business. Lists that the API merges by a key are compared
element by element, as server-side apply does; all other lists as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ragdeploy_operator.api.quantity import number

_MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""Keys of the lists that server-side apply merges, by the field that holds the list.

From ``x-kubernetes-list-map-keys`` in the OpenAPI of Kubernetes.
"""

_CONTAINER_PORT = ("containerPort", "protocol")
_SERVICE_PORT = ("port", "protocol")

_QUANTITIES = frozenset({"requests", "limits", "capacity"})
_TARGETS = frozenset({"value", "averageValue"})
"""Quantities in the field ``target`` of an autoscaler's metric."""


class Difference(NamedTuple):
    """A place at which two objects differ; None for what is not there."""

    path: str
    wanted: Any
    there: Any


def differences(wanted: Any, there: Any) -> Iterator[str]:
    """Yield the paths at which ``there`` lacks what is ``wanted``; values never."""
    return (difference.path for difference in compare(wanted, there))


def compare(wanted: Any, there: Any, path: str = "") -> Iterator[Difference]:
    """Yield the places at which ``there`` lacks what is ``wanted``, with both values."""
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping):
            yield Difference(path, wanted, there)
            return
        field = path.rpartition(".")[2]
        for name, value in wanted.items():
            below = f"{path}.{name}" if path else name
            if name not in there:
                yield Difference(below, value, None)
            elif field in _QUANTITIES or (field == "target" and name in _TARGETS):
                if not _same_quantity(value, there[name]):
                    yield Difference(below, value, there[name])
            else:
                yield from compare(value, there[name], below)
    elif isinstance(wanted, list):
        if not isinstance(there, list):
            yield Difference(path, wanted, there)
        elif keys := _keys(path.rpartition(".")[2], wanted):
            yield from _merged(wanted, there, keys, path)
        elif len(wanted) != len(there):
            yield Difference(path, wanted, there)
        else:
            for index, (one, other) in enumerate(zip(wanted, there, strict=True)):
                yield from compare(one, other, f"{path}[{index}]")
    elif wanted != there:
        yield Difference(path, wanted, there)


def _merged(
    wanted: Sequence[Any], there: Sequence[Any], keys: tuple[str, ...], path: str
) -> Iterator[Difference]:
    found = {_identity(element, keys): element for element in there}
    for element in wanted:
        identity = _identity(element, keys)
        below = f"{path}[{identity[0]}]"
        if identity not in found:
            yield Difference(below, element, None)
        else:
            yield from compare(element, found[identity], below)


def _keys(field: str, elements: Sequence[Any]) -> tuple[str, ...]:
    if field == "ports" and elements:
        if "containerPort" in elements[0]:
            return _CONTAINER_PORT
        # those of a NetworkPolicy are a list as a whole
        return _SERVICE_PORT if "targetPort" in elements[0] else ()
    return _MERGE_KEYS.get(field, ())


def _identity(element: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    # "protocol" is the one key that may be left out; it defaults to TCP
    return tuple(element.get(key, "TCP") for key in keys)


def _same_quantity(wanted: Any, there: Any) -> bool:
    if wanted == there:
        return True
    try:
        return number(str(wanted)) == number(str(there))
    except ValueError:
        return False
