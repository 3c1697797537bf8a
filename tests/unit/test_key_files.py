"""Files with one API key each: what they may say, and what is said of those that are wrong."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_service.access.key_file import BadKeyFile, digest_of, read_key_file
from ragdeploy_service.rag.access import Access, Budget, Limits, Period

DEFAULTS = Limits(requests_per_minute=10, tokens_per_minute=500)
KEY = "rag_AbC-very-secret"
DIGEST = sha256(KEY.encode()).hexdigest()


@pytest.fixture
def read(tmp_path):
    def read(content, name="file"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return read_key_file(file, defaults=DEFAULTS)

    return read


def test_a_file_may_say_everything_about_a_key(read):
    stored = read(
        {
            "key": KEY,
            "id": "shop.1",
            "tenant": "acme",
            "scopes": ["query", "index"],
            "requests_per_minute": 60,
            "tokens_per_minute": 9000,
            "budget": {"tokens": 100_000, "period": "month"},
        }
    )
    assert stored.sha256 == digest_of(KEY.encode())
    holder = stored.principal
    assert (holder.key_id, holder.tenant) == ("shop.1", "acme")
    assert holder.scopes == {Access.QUERY, Access.INDEX}
    assert holder.limits == Limits(
        requests_per_minute=60,
        tokens_per_minute=9000,
        budget=Budget(tokens=100_000, period=Period.MONTH),
    )


def test_a_digest_stands_for_the_key(read):
    assert read({"sha256": DIGEST}) == read({"key": KEY})
    assert KEY not in repr(read({"key": KEY}))


def test_what_a_file_does_not_say_is_as_the_service_has_it(read):
    holder = read({"sha256": DIGEST}, name="shop").principal
    assert (holder.key_id, holder.tenant) == ("shop", "default")
    assert holder.scopes == set(Access)
    assert holder.limits == DEFAULTS


def test_zero_lifts_a_limit(read):
    holder = read({"sha256": DIGEST, "requests_per_minute": 0, "tokens_per_minute": 0}).principal
    assert holder.limits == Limits()


def test_a_key_may_be_good_for_nothing(read):
    assert read({"sha256": DIGEST, "scopes": []}).principal.scopes == set()


def test_whatever_a_file_is_called_its_key_has_a_plain_name(read):
    holder = read(b"key", name="Mein Schlüssel.txt").principal
    assert holder.key_id.startswith("file-")
    assert holder.key_id.isascii()


def test_an_empty_file_holds_no_key(read):
    assert read(b" \n") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"key": "rag_AbC-very-secret"', "at line 1 column"),
        (b'{"key": "rag_AbC-very-secret\xff"}', "at line 1 column 29"),
        (b"{" + b'"a":[' * 500, "JSON"),
        (b"x" * 5000, "4096 bytes"),
        ({}, "`key` or `sha256`"),
        ({"key": KEY, "sha256": DIGEST}, "`key` or `sha256`"),
        ({"key": ""}, "key:"),
        ({"key": 17}, "key:"),
        ({"sha256": KEY}, "sha256:"),
        ({"sha256": DIGEST.upper()}, "sha256:"),
        ({"key": KEY, "tenant": "Acme & Sons"}, "tenant:"),
        ({"key": KEY, "tenant": ""}, "tenant:"),
        ({"key": KEY, "id": "a b"}, "id:"),
        ({"key": KEY, "scopes": ["write"]}, "scopes.0:"),
        ({"key": KEY, "scopes": "query"}, "scopes:"),
        ({"key": KEY, "requests_per_minute": -1}, "requests_per_minute:"),
        ({"key": KEY, "requests_per_minute": "10"}, "requests_per_minute:"),
        ({"key": KEY, "budget": {"tokens": 5}}, "budget.period:"),
        ({"key": KEY, "budget": {"tokens": 0, "period": "day"}}, "budget.tokens:"),
        ({"key": KEY, "budget": {"tokens": 1, "period": "week"}}, "budget.period:"),
        ({"key": KEY, KEY: "in the wrong place"}, "a field that is none of key, sha256"),
    ],
)
def test_a_wrong_file_says_what_is_wrong_and_nothing_of_what_is_in_it(read, content, reason):
    with pytest.raises(BadKeyFile) as wrong:
        read(content)
    assert reason in str(wrong.value)
    assert "very-secret" not in str(wrong.value)
    assert "Acme" not in str(wrong.value)


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda some: b"{" + some))
def test_whatever_a_file_holds_it_is_a_key_or_told_to_be_none(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(content)
    try:
        stored = read_key_file(file, defaults=DEFAULTS)
    except BadKeyFile:
        return
    assert stored is None or len(stored.sha256) == 32
