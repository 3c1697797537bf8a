"""Filters as JSON, in the shape of OpenAI's vector stores, and as the domain has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from ragdeploy_service.rag import filters

_MOST_COMPARISONS = 64
_DEEPEST = 6

_LONGEST_LIST = 256

_Key = Annotated[str, StringConstraints(pattern=r"^\w[\w .-]{0,127}$")]


def _one_or_many(value: object) -> filters.Scalar | tuple[filters.Scalar, ...]:
    """Check a value by hand: of a union, pydantic would tell the error of each member."""
    if isinstance(value, list) and 1 <= len(value) <= _LONGEST_LIST:
        return tuple(map(_scalar, value))
    return _scalar(value)


def _scalar(value: object) -> filters.Scalar:
    match value:
        case bool():
            return value
        case int() if -(2**63) <= value < 2**63:
            return value
        case float() if math.isfinite(value):
            return value
        case str() if len(value) <= filters.LONGEST_TEXT:
            return value
    raise ValueError(
        f"Give a text of at most {filters.LONGEST_TEXT} characters, a number (integers of 64 "
        f"bits), true or false; for 'in' and 'nin' a list of 1 to {_LONGEST_LIST} of these."
    )


_SCALAR_SCHEMA = {"type": ["string", "number", "boolean"], "maxLength": filters.LONGEST_TEXT}
_Value = Annotated[
    Any,
    PlainValidator(_one_or_many),
    WithJsonSchema(
        {
            "anyOf": [
                _SCALAR_SCHEMA,
                {
                    "type": "array",
                    "items": _SCALAR_SCHEMA,
                    "minItems": 1,
                    "maxItems": _LONGEST_LIST,
                },
            ]
        }
    ),
]

_ORDERED = frozenset({"gt", "gte", "lt", "lte"})
_LISTED = frozenset({"in", "nin"})


class ComparisonFilter(BaseModel):
    """One value of a document's metadata against another."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"] = Field(
        description="`ne` and `nin` hold also where the key is missing; the others do not."
    )
    key: _Key = Field(description="Key of the metadata.")
    value: _Value = Field(
        description="A list for `in` and `nin`, a number or a text for `gt` to `lte`."
    )

    @model_validator(mode="after")
    def _value_fits(self) -> ComparisonFilter:
        if isinstance(self.value, tuple) != (self.type in _LISTED):
            kind = "a list of values" if self.type in _LISTED else "a single value"
            raise ValueError(f"{self.type!r} takes {kind}.")
        if self.type in _ORDERED and isinstance(self.value, bool):
            raise ValueError(f"{self.type!r} takes a number or a text.")
        return self


class CompoundFilter(BaseModel):
    """Several filters, all or one of which must hold."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["and", "or"]
    filters: list[MetadataFilter] = Field(min_length=1, max_length=_MOST_COMPARISONS)


def _bounded(value: ComparisonFilter | CompoundFilter) -> ComparisonFilter | CompoundFilter:
    if _measure(value, lambda parts: 1 + max(parts, default=0)) > _DEEPEST + 1:
        raise ValueError(f"Filters may be nested {_DEEPEST} deep.")
    if _measure(value, lambda parts: sum(parts) or 1) > _MOST_COMPARISONS:
        raise ValueError(f"{_MOST_COMPARISONS} comparisons are taken at most.")
    return value


def _measure(value: ComparisonFilter | CompoundFilter, combine: Callable[[list[int]], int]) -> int:
    parts = value.filters if isinstance(value, CompoundFilter) else []
    return combine([_measure(part, combine) for part in parts])


MetadataFilter = Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")]
CompoundFilter.model_rebuild()

FilterField = Annotated[MetadataFilter, AfterValidator(_bounded)]
"""A filter of a request: bounded in depth and in size."""


def to_domain(value: ComparisonFilter | CompoundFilter) -> filters.Filter:
    """The same filter as the domain has it."""
    if isinstance(value, CompoundFilter):
        return filters.Compound(
            junction=filters.Junction(value.type),
            filters=tuple(to_domain(part) for part in value.filters),
        )
    return filters.Comparison(
        key=value.key,
        operator=filters.Operator(value.type),
        value=value.value,
    )
