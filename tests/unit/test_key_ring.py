"""API keys: kept as digests, read anew when their folder changes, and never none by mistake."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ragdeploy_service.access import key_ring
from ragdeploy_service.access.key_ring import load_keys
from ragdeploy_service.rag.access import Access, Limits
from ragdeploy_service.rag.errors import ConfigurationError
from ragdeploy_service.settings import ServiceSettings


@pytest.fixture(autouse=True)
def _look_always(monkeypatch):
    monkeypatch.setattr(key_ring, "_LOOK_SECONDS", 0.0)


NO_LIMITS = Limits()


class KeyRing(key_ring.KeyRing):
    def __init__(self, keys, folder, limits=NO_LIMITS):
        super().__init__(keys, folder, limits=limits)

    def accepts(self, key: str) -> bool:
        return self.holder(key.encode()) is not None


def test_only_whole_keys_are_accepted():
    keys = KeyRing(["alpha", "beta"], None)
    assert keys.accepts("alpha")
    assert keys.accepts("beta")
    for wrong in ("", "alph", "alphaa", "Alpha", "alpha\n", "gamma"):
        assert not keys.accepts(wrong)


def test_a_key_is_not_kept_as_it_is():
    keys = KeyRing(["a-very-secret-key"], None)
    seen = repr(vars(keys))
    assert "a-very-secret-key" not in seen
    assert repr(sha256(b"a-very-secret-key").digest()) not in seen


def test_every_file_holds_a_key_but_hidden_and_empty_ones(tmp_path):
    (tmp_path / "one").write_text("key-one\n")
    (tmp_path / "two").write_text("  key-two  ")
    (tmp_path / ".hidden").write_text("hidden")
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "folder").mkdir()
    keys = KeyRing([], tmp_path)
    assert keys.accepts("key-one")
    assert keys.accepts("key-two")
    assert not keys.accepts("hidden")
    assert not keys.accepts("")


def test_a_bare_key_is_good_for_everything_of_the_default_tenant(tmp_path):
    (tmp_path / "first").write_text("key")
    limits = Limits(requests_per_minute=3)
    holder = KeyRing(["fixed"], tmp_path, limits).holder(b"key")
    assert (holder.key_id, holder.tenant) == ("first", "default")
    assert holder.scopes == set(Access)
    assert holder.limits == limits
    assert KeyRing(["one", "two"], None).holder(b"two").key_id == "setting-2"


def test_an_old_and_a_new_key_may_be_one_holder(tmp_path):
    (tmp_path / "old").write_text('{"key": "one", "id": "shop", "tenant": "acme"}')
    (tmp_path / "new").write_text('{"key": "two", "id": "shop", "tenant": "acme"}')
    keys = KeyRing([], tmp_path)
    assert keys.holder(b"one") == keys.holder(b"two")


def test_a_file_without_a_key_takes_none_of_the_others_down(tmp_path):
    (tmp_path / "good").write_text("key-one")
    (tmp_path / "bad").write_text('{"key": "key-two", "scopes": ["everything"]}')
    (tmp_path / "worse").write_bytes(b"{\xff")
    keys = KeyRing([], tmp_path)
    assert keys.accepts("key-one")
    assert not keys.accepts("key-two")
    assert not keys.accepts('{"key": "key-two", "scopes": ["everything"]}')
    (tmp_path / "bad").write_text('{"key": "key-two", "scopes": ["query"]}')
    assert keys.accepts("key-two")


def test_a_changed_folder_is_read_anew(tmp_path):
    (tmp_path / "one").write_text("old")
    keys = KeyRing([], tmp_path)
    (tmp_path / "one").write_text("new!")
    assert keys.accepts("new!")
    assert not keys.accepts("old")


def test_a_folder_that_vanished_leaves_the_keys_that_were_read(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "one").write_text("key")
    keys = KeyRing([], folder)
    (folder / "one").unlink()
    folder.rmdir()
    assert keys.accepts("key")


def test_a_folder_that_was_emptied_lets_nobody_in(tmp_path):
    (tmp_path / "one").write_text("key")
    keys = KeyRing([], tmp_path)
    (tmp_path / "one").unlink()
    assert not keys.accepts("key")


@pytest.mark.parametrize(
    ("settings", "everybody"),
    [
        ({"host": "127.0.0.1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "::1"}, True),
        ({"host": "127.0.0.1", "api_keys": "key"}, False),
        ({"host": "0.0.0.0", "api_keys": "key"}, False),
        ({"host": "0.0.0.0", "auth_enabled": False}, True),
        ({"host": "127.0.0.1", "auth_enabled": False, "api_keys": "key"}, True),
    ],
)
def test_when_keys_are_asked_for(settings, everybody):
    assert (load_keys(ServiceSettings(**settings)) is None) == everybody


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_no_key_and_not_alone_is_refused(host):
    with pytest.raises(ConfigurationError, match="RAG_API_KEYS"):
        load_keys(ServiceSettings(host=host))


def test_a_folder_without_keys_is_refused_even_on_loopback(tmp_path):
    with pytest.raises(ConfigurationError, match="RAG_API_KEYS_DIR"):
        load_keys(ServiceSettings(api_keys_dir=tmp_path))
