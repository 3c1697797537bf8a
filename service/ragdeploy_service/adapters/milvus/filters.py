"""Filters on metadata in Milvus's language, so that they mean the same on every server.

What may be filtered by stands a second time in each row, in the collection's dynamic field, under
a name that holds the type of the value: ``{"year": 2024, "ok": true}`` is also
``n_year = 2024, b_ok = true``. Milvus Lite takes true for 1, and Milvus 2.3 cannot read keys with
brackets or quotes; with these names neither question comes up.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable

from ragdeploy_service.rag.filters import (
    LONGEST_TEXT,
    Comparison,
    Compound,
    Filter,
    Operator,
    Scalar,
)
from ragdeploy_service.rag.models import Metadata

FIRST_CHUNKS = "position == 0"
"""True of one chunk of each document."""

_SYMBOLS = {Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}
_EVERY_ROW, _NO_ROW = '(id != "")', '(id == "")'

# What Milvus and Milvus Lite both read as escapes; anything else may stand as it is.
_ESCAPES = str.maketrans({'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]")
_INT64 = 2**63


def attributes(metadata: Metadata) -> dict[str, Scalar]:
    """What can be filtered by, as it is stored: strings, numbers and booleans, but none nested."""
    return {
        _name(key, value): _stored(value)
        for key, value in metadata.items()
        if isinstance(value, str | bool | int)
        or (isinstance(value, float) and math.isfinite(value))
    }


def condition(where: Filter | None) -> str:
    """Write a filter down; the empty string lets every row pass."""
    match where:
        case None:
            return ""
        case Compound():
            return f"({f' {where.junction} '.join(map(condition, where.filters))})"
        case Comparison(operator=Operator.EQ | Operator.IN):
            return _any(where.key, _values(where))
        case Comparison(operator=Operator.NE | Operator.NIN):
            return _none(where.key, _values(where))
        case _:
            [value] = _values(where)
            return f"({_field(where.key, value)} {_SYMBOLS[where.operator]} {literal(value)})"


def any_of(field: str, values: Iterable[str]) -> str:
    """Write the filter "a field of the collection is one of these"."""
    return f"{field} in [{', '.join(map(literal, values))}]"


def literal(value: Scalar) -> str:
    """Write a value so that it cannot end its literal (mem0#5744, agno#8823).

    Milvus Lite rejects filter templates, which would be the other way.
    """
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    return json.dumps(_stored(value), allow_nan=False)


def _values(where: Comparison) -> tuple[Scalar, ...]:
    return where.value if isinstance(where.value, tuple) else (where.value,)


def _any(key: str, values: Iterable[Scalar]) -> str:
    equal = [f"{_field(key, value)} == {literal(value)}" for value in values]
    return f"({' or '.join(equal)})" if equal else _NO_ROW


def _none(key: str, values: Iterable[Scalar]) -> str:
    """Say that none is equal, which is so too where there is no value of that type.

    A comparison with a value that is missing may be unknown, and so may its negation, which is
    no match; ``exists`` is true or false. Without its brackets it would take in what follows.
    """
    by_field: dict[str, list[Scalar]] = {}
    for value in values:
        by_field.setdefault(_field(key, value), []).append(value)
    parts = [f"not ((exists {field}) and {_any(key, group)})" for field, group in by_field.items()]
    return f"({' and '.join(parts)})" if parts else _EVERY_ROW


def _field(key: str, value: Scalar) -> str:
    return f'$meta["{_name(key, value)}"]'


def _name(key: str, value: Scalar) -> str:
    """Name a value's place: its type, then the key, in letters and digits; no two share one."""
    kind = "s" if isinstance(value, str) else "b" if isinstance(value, bool) else "n"
    return f"{kind}_{_NOT_PLAIN.sub(lambda found: f'_{ord(found.group()):x}_', key)}"


def _stored(value: Scalar) -> Scalar:
    """Bring a value into the form and range in which it is compared.

    One character more than a filter can have says all that matters of a longer text, and larger
    integers than Milvus has are fractions.
    """
    if isinstance(value, str):
        return value[: LONGEST_TEXT + 1]
    if isinstance(value, int) and not -_INT64 < value < _INT64:
        return float(value)
    return value
