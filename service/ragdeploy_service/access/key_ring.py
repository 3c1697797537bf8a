"""The accepted API keys, from the settings and from a folder that may change at any time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from ragdeploy_service.access.key_file import BadKeyFile, StoredKey, bare_key, read_key_file
from ragdeploy_service.access.key_file import digest_of as sha256
from ragdeploy_service.rag.access import Limits, Principal
from ragdeploy_service.rag.errors import ConfigurationError
from ragdeploy_service.settings import ServiceSettings

_LOOK_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class KeyRing:
    """Accepted keys, as HMAC-SHA256 under a secret of this process.

    The folder is one that Kubernetes mounts a Secret into: its files are
    links that change all at once, so a key can be rotated without a restart.
    Hidden files (``..data``) are not keys. A file that holds no key is told in
    the log by its name, and the others count.

    Args:
        keys: Keys that are good for everything.
        folder: Holds one key in each file.
        limits: Of each key that does not bring its own.

    """

    def __init__(self, keys: Iterable[str], folder: Path | None, *, limits: Limits) -> None:
        self._secret = secrets.token_bytes(32)
        self._limits = limits
        self._fixed = self._entries(
            bare_key(key.encode(), key_id=f"setting-{number}", limits=limits)
            for number, key in enumerate(keys, start=1)
        )
        self._folder = folder
        self._from_folder: tuple[tuple[bytes, Principal], ...] = ()
        self._seen: object = None
        self._looked_at = 0.0
        self._look()

    @property
    def empty(self) -> bool:
        """Whether there is no key at all."""
        return not self._fixed and not self._from_folder

    def holder(self, key: bytes) -> Principal | None:
        """Who holds a key; None, after the same time for every wrong key, if nobody does."""
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._look()
        digest = self._digest(sha256(key))
        # All are compared, so that time does not tell which one it was.
        found = None
        for known, principal in (*self._fixed, *self._from_folder):
            if hmac.compare_digest(digest, known):
                found = principal
        return found

    def reload(self, settings: ServiceSettings) -> None:
        """Take other limits for the keys that do not bring their own."""
        limits = _limits(settings)
        if limits == self._limits:
            return
        self._limits = limits
        self._fixed = tuple(
            (digest, replace(principal, limits=limits)) for digest, principal in self._fixed
        )
        self._seen = None
        self._look()

    def _look(self) -> None:
        """Read the folder anew if a file in it has changed: about 20 microseconds if not."""
        self._looked_at = time.monotonic()
        if self._folder is None:
            return
        try:
            files = sorted(_visible_files(self._folder))
            seen = [
                (file, stat.st_ino, stat.st_mtime_ns) for file in files if (stat := file.stat())
            ]
            if seen == self._seen:
                return
            keys = [key for file in files if (key := self._read(file))]
        except OSError as error:
            # Kubernetes is changing the links just now, or the volume is gone: the keys that
            # were read last stay.
            _log.warning("the folder of API keys cannot be read", error=error.strerror)
            return
        self._from_folder = self._entries(keys)
        self._seen = seen
        _log.info("API keys read", keys=len(keys))

    def _read(self, file: Path) -> StoredKey | None:
        try:
            return read_key_file(file, defaults=self._limits)
        except BadKeyFile as error:
            _log.warning("no API key in a file of the folder", file=file.name, reason=str(error))
            return None

    def _entries(self, keys: Iterable[StoredKey]) -> tuple[tuple[bytes, Principal], ...]:
        return tuple((self._digest(key.sha256), key.principal) for key in keys)

    def _digest(self, key: bytes) -> bytes:
        return hmac.digest(self._secret, key, hashlib.sha256)


def _visible_files(folder: Path) -> Iterator[Path]:
    for file in folder.iterdir():
        if not file.name.startswith(".") and file.is_file():
            yield file


def _limits(settings: ServiceSettings) -> Limits:
    return Limits(
        requests_per_minute=settings.rate_limit_requests_per_minute or None,
        tokens_per_minute=settings.rate_limit_tokens_per_minute or None,
    )


def load_keys(settings: ServiceSettings) -> KeyRing | None:
    """Read the keys that the settings name; None if everybody may ask.

    Raises:
        ConfigurationError: keys are asked for, there are none, and others can reach the service.

    """
    if not settings.auth_enabled:
        return None
    keys = KeyRing(
        (key.get_secret_value() for key in settings.api_keys),
        settings.api_keys_dir,
        limits=_limits(settings),
    )
    if not keys.empty:
        return keys
    if settings.on_loopback and settings.api_keys_dir is None:
        return None
    raise ConfigurationError(
        f"The service would listen on {settings.host} without an API key. Set RAG_API_KEYS, or "
        "put a key into the folder RAG_API_KEYS_DIR; RAG_AUTH_ENABLED=false lets everybody in."
    )
