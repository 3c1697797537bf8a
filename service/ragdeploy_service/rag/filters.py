"""Conditions on metadata, as data: what a caller may say, and nothing else.

The shape is that of OpenAI's vector stores (``ComparisonFilter`` and
``CompoundFilter``). A filter never is a string of the store's language: in
mem0 (#5744) and agno (#8823) such strings let one tenant read another's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool

LONGEST_TEXT = 1024
"""Characters that a text may have to be compared with; those in the metadata may have more."""


class Operator(StrEnum):
    """How a value of the metadata is compared.

    A document that lacks the key, or holds a value of another type there, matches none of these
    but ``ne`` and ``nin``, which are true wherever ``eq`` and ``in`` are false.
    """

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    NIN = "nin"


class Junction(StrEnum):
    """How several conditions are joined."""

    AND = "and"
    OR = "or"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One value of the metadata, found under ``key``, against ``value``.

    ``in`` and ``nin`` take a tuple, ``gt`` to ``lte`` a number or a string, the others a scalar.
    """

    key: str
    operator: Operator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compound:
    """Several conditions, at least one, joined."""

    junction: Junction
    filters: tuple[Filter, ...]


Filter: TypeAlias = Comparison | Compound
