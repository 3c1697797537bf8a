"""Filters on metadata: many of them, and what each must mean."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from ragdeploy_service.rag.filters import Comparison, Compound, Filter, Junction, Operator, Scalar
from ragdeploy_service.rag.models import Metadata

# Few, so that filters often meet the documents, and awkward.
KEYS = ("year", "k", "a b", "x.y", "n_k", "日本", "ÿ", 'q"]', "_", "", "id", "$meta")
TEXTS = ("", "a", "b", "A", "1", "true", 'a"b', "a\\", "日本", "😀", "a\nb", "%", "x" * 1500)
NUMBERS = (0, 1, -1, 2, 2.5, 1.0, -0.0, 1e300, -5e-324, 2**53, 2024)
# Exact as they are, but not to be compared with fractions.
LARGE = (2**62, 2**62 + 1, -(2**63) + 1)
OTHERS: tuple[object, ...] = (None, [1], ["a"], {"a": 1}, [])

_ORDERED = {
    Operator.GT: lambda one, other: one > other,
    Operator.GTE: lambda one, other: one >= other,
    Operator.LT: lambda one, other: one < other,
    Operator.LTE: lambda one, other: one <= other,
}


def matches(where: Filter, metadata: Metadata) -> bool:
    """What `rag.filters` says a filter means."""
    if isinstance(where, Compound):
        parts = [matches(part, metadata) for part in where.filters]
        return all(parts) if where.junction is Junction.AND else any(parts)
    values = where.value if isinstance(where.value, tuple) else (where.value,)
    there = metadata.get(where.key)
    alike = [value for value in values if _kind(value) == _kind(there)]
    match where.operator:
        case Operator.EQ | Operator.IN:
            return there in alike
        case Operator.NE | Operator.NIN:
            return there not in alike
        case operator:
            return any(_ORDERED[operator](there, value) for value in alike)


def _kind(value: object) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def metadata(random: Random) -> Metadata:
    """Metadata as anybody may send it."""
    values = (*TEXTS, *NUMBERS, *LARGE, *OTHERS, True, False)
    return {key: random.choice(values) for key in random.sample(KEYS, random.randint(0, 6))}


def filters() -> st.SearchStrategy[Filter]:
    """Filters as the API lets them through."""
    return st.recursive(_comparisons(), _compounds, max_leaves=8)


def _comparisons() -> st.SearchStrategy[Filter]:
    keys = st.sampled_from((*KEYS, "missing"))
    scalars = st.one_of(
        st.sampled_from([text for text in TEXTS if len(text) <= 1024]),
        st.sampled_from(NUMBERS),
        st.booleans(),
        st.text(max_size=20),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
    )
    ordered = scalars.filter(lambda value: not isinstance(value, bool))
    return st.one_of(
        _comparison(keys, [Operator.EQ, Operator.NE], scalars | st.sampled_from(LARGE)),
        _comparison(keys, [Operator.IN, Operator.NIN], st.lists(scalars, max_size=4).map(tuple)),
        _comparison(keys, list(_ORDERED), ordered),
    )


def _comparison(
    keys: st.SearchStrategy[str],
    operators: list[Operator],
    values: st.SearchStrategy[Scalar | tuple[Scalar, ...]],
) -> st.SearchStrategy[Filter]:
    return st.builds(Comparison, key=keys, operator=st.sampled_from(operators), value=values)


def _compounds(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return st.builds(Compound, junction=st.sampled_from(Junction), filters=several)
