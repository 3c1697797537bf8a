"""Names of children fit wherever Kubernetes puts them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_operator.build import names
from tests.operator.unit.resources import children

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
RESOURCE_NAMES = st.text("ab0-", min_size=1, max_size=63).filter(DNS_LABEL.fullmatch)
SUFFIXES = st.sampled_from(["api", "api-key", "cache", "config", "indexer", "vector-store"])


def test_children_are_named_after_their_resource() -> None:
    assert {name for _, name in children().by_ref} == {
        "docs-api", "docs-api-key", "docs-cache", "docs-config", "docs-dashboard",
        "docs-indexer", "docs-vector-store",
    }  # fmt: skip


@given(RESOURCE_NAMES, SUFFIXES)
def test_a_name_is_a_dns_label_that_leaves_room_for_the_revision_of_a_statefulset(
    name: str, suffix: str
) -> None:
    child = names.child_name(name, suffix)
    assert DNS_LABEL.fullmatch(child)
    assert len(child) + len("-6d4b75cb6d") <= 63
    assert child.endswith(f"-{suffix}")


@given(st.lists(st.tuples(RESOURCE_NAMES, SUFFIXES), max_size=5))
def test_two_children_never_share_a_name(wanted: list[tuple[str, str]]) -> None:
    found = {names.child_name(name, suffix) for name, suffix in wanted}
    assert len(found) == len({f"{name}-{suffix}" for name, suffix in wanted})


def test_two_long_names_with_the_same_beginning_stay_apart() -> None:
    one, other = "d" * 62 + "a", "d" * 62 + "b"
    assert names.vector_store(one) != names.vector_store(other)
    assert names.vector_store(one).startswith("dddddddddddd")


@pytest.mark.parametrize("length", [1, 40, 41, 48, 49, 52, 63])
def test_a_name_of_any_length_gives_the_same_children(length: int) -> None:
    built = children(name="d" * length)
    assert len(built.manifests) == len(children().manifests)
