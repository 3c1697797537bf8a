"""Names of collections in Milvus: no two collections share one, and each can be read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_service.adapters.milvus.names import alias, collections, version, versions
from ragdeploy_service.rag.errors import Unsupported
from ragdeploy_service.rag.models import CollectionId
from ragdeploy_service.settings import NAME_PATTERN

names = st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) < 40)
ids = st.builds(CollectionId, tenant=names, name=names)
# Names that come out alike where the writing is careless.
close = st.sampled_from(["a-b", "a_b", "ahb", "aub", "a-_b", "a_-b", "a-hb", "a_hb", "a", "b"])
close_ids = st.builds(CollectionId, tenant=close, name=close)


@given(st.lists(ids | close_ids, max_size=20, unique=True))
def test_no_two_collections_share_a_name_and_each_is_read_back(chosen):
    aliases = [alias("rag", collection) for collection in chosen]
    assert len(set(aliases)) == len(chosen)
    for tenant in {collection.tenant for collection in chosen}:
        expected = sorted(c.name for c in chosen if c.tenant == tenant)
        assert collections("rag", tenant, aliases) == expected


@given(ids)
def test_milvus_takes_every_name(collection):
    name = version(alias("rag", collection))
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    assert len(name) <= 255


def test_a_name_that_grows_too_long_is_refused_with_the_reason():
    many = f"a{'-' * 61}a"
    with pytest.raises(Unsupported, match="shorter"):
        alias("rag", CollectionId(tenant=many, name=many))


@given(ids, close_ids)
def test_versions_of_one_collection_are_not_those_of_another(one, other):
    first, second = alias("rag", one), alias("rag", other)
    everything = [version(first), version(second), first, second, f"{first}__next"]
    assert versions(first, everything) == [n for n in everything[:2] if n.startswith(f"{first}__")]


def test_services_with_other_prefixes_are_not_seen():
    here = CollectionId(tenant="a", name="b")
    assert collections("rag", "a", [alias("rag2", here), "documents", "rag__a"]) == []
