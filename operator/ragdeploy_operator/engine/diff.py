"""Where what is wanted differs from what is there.

Wanted is a part of there: fields that others added (defaults, sidecars, labels)
are none of our business. Lists that the API merges by a key are compared
element by element, as server-side apply does; all other lists as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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


def differences(wanted: Any, there: Any) -> Iterator[str]:
    """Yield the paths at which ``there`` lacks what is ``wanted``; values never."""
    return _differences(wanted, there, "")


def _differences(wanted: Any, there: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping):
            yield path
            return
        field = path.rpartition(".")[2]
        for name, value in wanted.items():
            below = f"{path}.{name}" if path else name
            if name not in there:
                yield below
            elif field in _QUANTITIES or (field == "target" and name in _TARGETS):
                if not _same_quantity(value, there[name]):
                    yield below
            else:
                yield from _differences(value, there[name], below)
    elif isinstance(wanted, list):
        if not isinstance(there, list):
            yield path
        elif keys := _keys(path.rpartition(".")[2], wanted):
            yield from _merged(wanted, there, keys, path)
        elif len(wanted) != len(there):
            yield path
        else:
            for index, (one, other) in enumerate(zip(wanted, there, strict=True)):
                yield from _differences(one, other, f"{path}[{index}]")
    elif wanted != there:
        yield path


def _merged(
    wanted: Sequence[Any], there: Sequence[Any], keys: tuple[str, ...], path: str
) -> Iterator[str]:
    found = {_identity(element, keys): element for element in there}
    for element in wanted:
        identity = _identity(element, keys)
        below = f"{path}[{identity[0]}]"
        if identity not in found:
            yield below
        else:
            yield from _differences(element, found[identity], below)


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
