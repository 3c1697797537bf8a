"""Who may ask: API keys, from the settings and from a folder that may change at any time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ragdeploy_service.problems import problem
from ragdeploy_service.rag.errors import ConfigurationError
from ragdeploy_service.rag.models import DEFAULT_TENANT
from ragdeploy_service.settings import ServiceSettings

# Whatever is not named here asks for a key.
_PUBLIC = frozenset({"/health", "/health/live", "/health/ready", "/metrics", "/openapi.json"})
_PUBLIC_PAGES = frozenset({"/docs", "/docs/oauth2-redirect"})

_LOOK_SECONDS = 1.0
_LONGEST_KEY = 4096

_log = structlog.get_logger(__name__)


class KeyRing:
    """Accepted keys, as digests under a key of this process.

    The folder is one that Kubernetes mounts a Secret into: its files are
    links that change all at once, so a key can be rotated without a restart.
    Hidden files (``..data``) are not keys.
    """

    def __init__(self, keys: Iterable[str], folder: Path | None) -> None:
        self._secret = secrets.token_bytes(32)
        self._fixed = tuple(self._digest(key.encode()) for key in keys)
        self._folder = folder
        self._from_folder: tuple[bytes, ...] = ()
        self._seen: object = None
        self._looked_at = 0.0
        self._look()

    @property
    def empty(self) -> bool:
        """Whether there is no key at all."""
        return not self._fixed and not self._from_folder

    def accepts(self, key: str) -> bool:
        """Whether a key is accepted; takes the same time for every wrong key."""
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._look()
        digest = self._digest(key.encode())
        # All are compared, so that time does not tell which one it was.
        matches = [
            hmac.compare_digest(digest, known) for known in (*self._fixed, *self._from_folder)
        ]
        return any(matches)

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
            keys = [key for file in files if (key := _read_key(file))]
        except OSError as error:
            # Kubernetes is changing the links just now, or the volume is gone: the keys that
            # were read last stay.
            _log.warning("the folder of API keys cannot be read", error=error.strerror)
            return
        self._from_folder = tuple(self._digest(key) for key in keys)
        self._seen = seen
        _log.info("API keys read", keys=len(keys))

    def _digest(self, key: bytes) -> bytes:
        return hmac.digest(self._secret, key, hashlib.sha256)


def _visible_files(folder: Path) -> Iterator[Path]:
    for file in folder.iterdir():
        if not file.name.startswith(".") and file.is_file():
            yield file


def _read_key(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(_LONGEST_KEY).strip()


def load_keys(settings: ServiceSettings) -> KeyRing | None:
    """Read the keys that the settings name; None if everybody may ask.

    Raises:
        ConfigurationError: keys are asked for, there are none, and others can reach the service.

    """
    if not settings.auth_enabled:
        return None
    keys = KeyRing((key.get_secret_value() for key in settings.api_keys), settings.api_keys_dir)
    if not keys.empty:
        return keys
    if settings.on_loopback and settings.api_keys_dir is None:
        return None
    raise ConfigurationError(
        f"The service would listen on {settings.host} without an API key. Set RAG_API_KEYS, or "
        "put a key into the folder RAG_API_KEYS_DIR; RAG_AUTH_ENABLED=false lets everybody in."
    )


class Authentication:
    """Lets a request in if it shows an accepted key, before its body is read (pure ASGI)."""

    def __init__(self, app: ASGIApp, keys: KeyRing | None) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = _shown_key(Headers(scope=scope)) if self._keys else None
        known = self._keys is None or (key is not None and self._keys.accepts(key))
        scope["state"]["authenticated"] = known
        scope["state"]["tenant"] = DEFAULT_TENANT
        if known or scope["path"] in _PUBLIC or scope["path"] in _PUBLIC_PAGES:
            await self._app(scope, receive, send)
        elif key is None:
            response = problem(
                scope,
                401,
                "Send an API key in the header X-API-Key, or as Authorization: Bearer.",
                headers={"WWW-Authenticate": 'Bearer realm="ragdeploy"'},
            )
            await response(scope, receive, send)
        else:
            response = problem(
                scope, 403, "This API key is not accepted; it may have been rotated."
            )
            await response(scope, receive, send)


def _shown_key(headers: Headers) -> str | None:
    if key := headers.get("x-api-key", "").strip():
        return key
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def with_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Add to an OpenAPI document how keys are sent, and where they are asked for."""
    document["components"]["securitySchemes"] = {
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    for path, operations in document["paths"].items():
        if path not in _PUBLIC:
            for operation in operations.values():
                operation["security"] = [{"header": []}, {"bearer": []}]
    return document
