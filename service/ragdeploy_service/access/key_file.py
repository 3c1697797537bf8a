"""One API key, as a file of the keys' folder holds it.

The file has either the key and nothing else, which is then good for everything,
or an object in JSON that also says what the key is good for:

    {"sha256": "9f86...", "tenant": "acme", "scopes": ["query"], "requests_per_minute": 60}

``sha256`` stands for the key itself, so that whoever reads the file cannot use
it. A plain hash is enough for keys of 256 random bits, and only for them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ragdeploy_service.rag.access import Access, Budget, Limits, Period, Principal
from ragdeploy_service.rag.models import DEFAULT_TENANT
from ragdeploy_service.settings import MOST_PER_MINUTE, NAME_PATTERN

_LONGEST_FILE = 4096
_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

_Limit = Annotated[int, Field(ge=0, le=MOST_PER_MINUTE)]


class BadKeyFile(Exception):
    """A file that no key can be taken from; the message holds nothing of what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key, known by its SHA-256, and who its holder is."""

    sha256: bytes
    principal: Principal


class BudgetEntry(BaseModel):
    """Tokens in each day or month."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tokens: int = Field(ge=1, le=10**15)
    period: Period


class KeyEntry(BaseModel):
    """What a file says of a key. A limit of 0 is none; one that is absent is the service's own."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    key: str | None = Field(None, min_length=1)
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    id: str | None = Field(None, pattern=_ID_PATTERN)
    tenant: str = Field(DEFAULT_TENANT, pattern=NAME_PATTERN)
    scopes: frozenset[Access] = frozenset(Access)
    requests_per_minute: _Limit | None = None
    tokens_per_minute: _Limit | None = None
    budget: BudgetEntry | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> KeyEntry:
        if (self.key is None) == (self.sha256 is None):
            raise ValueError("needs either `key` or `sha256`")
        return self

    def stored(self, *, key_id: str, defaults: Limits) -> StoredKey:
        """The key under its own id, or else under this one."""
        digest = bytes.fromhex(self.sha256) if self.sha256 else digest_of((self.key or "").encode())
        limits = Limits(
            requests_per_minute=_limit(self.requests_per_minute, defaults.requests_per_minute),
            tokens_per_minute=_limit(self.tokens_per_minute, defaults.tokens_per_minute),
            budget=Budget(**dict(self.budget)) if self.budget else defaults.budget,
        )
        principal = Principal(
            key_id=self.id or key_id, tenant=self.tenant, scopes=self.scopes, limits=limits
        )
        return StoredKey(sha256=digest, principal=principal)


def digest_of(key: bytes) -> bytes:
    """SHA-256 of a key, 32 bytes."""
    return hashlib.sha256(key).digest()


def read_key_file(file: Path, *, defaults: Limits) -> StoredKey | None:
    """Read a key; None if the file is empty.

    Raises:
        BadKeyFile: it holds something else.
        OSError: it cannot be read.

    """
    with file.open("rb") as opened:
        content = opened.read(_LONGEST_FILE + 1).strip()
    if len(content) > _LONGEST_FILE:
        raise BadKeyFile(f"is longer than {_LONGEST_FILE} bytes")
    if not content:
        return None
    if content.startswith(b"{"):
        return _parsed(content).stored(key_id=_id_of(file), defaults=defaults)
    return bare_key(content, key_id=_id_of(file), limits=defaults)


def bare_key(key: bytes, *, key_id: str, limits: Limits) -> StoredKey:
    """A key about which nothing more is said: it is good for everything of the default tenant."""
    principal = Principal(
        key_id=key_id, tenant=DEFAULT_TENANT, scopes=frozenset(Access), limits=limits
    )
    return StoredKey(sha256=digest_of(key), principal=principal)


def _parsed(content: bytes) -> KeyEntry:
    try:
        return KeyEntry.model_validate_json(content)
    except ValidationError as error:
        found = "; ".join(dict.fromkeys(_words(entry) for entry in error.errors()))
        raise BadKeyFile(found) from None


def _words(entry: Mapping[str, Any]) -> str:
    if entry["type"] == "extra_forbidden":  # its name may be a key in the wrong place
        return f"has a field that is none of {', '.join(KeyEntry.model_fields)}"
    if not entry["loc"]:
        return str(entry["msg"]).removeprefix("Value error, ")
    path = ".".join(str(part) for part in entry["loc"])
    return f"{path}: {entry['msg']}"


def _limit(own: int | None, default: int | None) -> int | None:
    return default if own is None else own or None


def _id_of(file: Path) -> str:
    if re.fullmatch(_ID_PATTERN, file.name):
        return file.name
    return f"file-{hashlib.sha256(file.name.encode(errors='replace')).hexdigest()[:8]}"
