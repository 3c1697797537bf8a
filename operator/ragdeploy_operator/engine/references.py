"""The Secrets that resources refer to: whether they are there, and when they change.

All Secrets are watched, but of their metadata only the versions are kept. The
content of a Secret that is referred to is fetched when its version is new, and
of that only digests are kept.
"""

from __future__ import annotations

from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from ragdeploy_operator.api import SecretUse
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.faults import explain
from ragdeploy_operator.engine.kinds import SECRET
from ragdeploy_operator.objects import Json, Key, Missing, Ref, key_of


class SecretVersions:
    """Resource versions of all Secrets, and who wants to know of which.

    Args:
        on_change: Told every resource that refers to a Secret which came, changed or went.
    """

    def __init__(self, *, on_change: Callable[[Key], None]) -> None:
        self._on_change = on_change
        self._versions: dict[Key, int] = {}
        self._readers: defaultdict[Key, set[Key]] = defaultdict(set)
        self._read: dict[Key, frozenset[Key]] = {}

    def version(self, secret: Key) -> int | None:
        """Resource version of a Secret; None if it is not there."""
        return self._versions.get(secret)

    def subscribe(self, reader: Key, secrets: Iterable[Key]) -> None:
        """Tell ``reader`` of these Secrets from now on, and of no others."""
        wanted = frozenset(secrets)
        before = self._read.get(reader, frozenset())
        for secret in before - wanted:
            self._readers[secret].discard(reader)
            if not self._readers[secret]:
                del self._readers[secret]
        for secret in wanted - before:
            self._readers[secret].add(reader)
        if wanted:
            self._read[reader] = wanted
        else:
            self._read.pop(reader, None)

    def is_read(self, secret: Key) -> bool:
        """Whether any resource refers to this Secret."""
        return secret in self._readers

    # ---- what a reflector tells ----
    def put(self, obj: Json) -> None:
        """Take in a Secret's metadata."""
        where, version = key_of(obj), int(obj["metadata"]["resourceVersion"])
        if self._versions.get(where, 0) < version:
            self._versions[where] = version
            self._tell(where)

    def drop(self, where: Key, *, version: str) -> None:
        """Forget a Secret that was gone at ``version``."""
        if self._versions.get(where, 0) <= int(version):
            self._versions.pop(where, None)
            self._tell(where)

    def known(self, namespace: str | None) -> set[Key]:
        """Where Secrets are, in one namespace or in all."""
        return {where for where in self._versions if namespace in (None, where.namespace)}

    def _tell(self, secret: Key) -> None:
        for reader in self._readers.get(secret, ()):
            self._on_change(reader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What the references of a resource lead to."""

    checksums: Mapping[SecretUse, str] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class _Content:
    """Digests of a Secret's values at one version; None for an empty value."""

    version: int
    digests: Mapping[str, str | None]


class References:
    """Looks up the Secrets that a resource refers to."""

    def __init__(self, client: Client, versions: SecretVersions) -> None:
        self._client = client
        self._versions = versions
        self._contents: dict[Key, _Content] = {}

    async def resolve(self, reader: Key, uses: Iterable[SecretUse]) -> Resolved:
        """Look all ``uses`` up; from now on ``reader`` is told of changes of these Secrets.

        Raises:
            Transient: a Secret could not be read.
        """
        uses = tuple(uses)
        where = {use: Key(reader.namespace, use.name) for use in uses}
        self._versions.subscribe(reader, where.values())  # before the look, to miss nothing
        checksums: dict[SecretUse, str] = {}
        missing: list[Missing] = []
        for use in uses:
            found = _look(use, await self._digests(where[use]))
            if isinstance(found, Missing):
                missing.append(found)
            else:
                checksums[use] = found
        return Resolved(checksums=checksums, missing=tuple(missing))

    def forget(self, reader: Key) -> None:
        """Drop what was kept for a resource that is gone."""
        self._versions.subscribe(reader, ())
        for secret in [one for one in self._contents if not self._versions.is_read(one)]:
            del self._contents[secret]

    async def _digests(self, secret: Key) -> Mapping[str, str | None] | None:
        """Digests of a Secret's values by key; None if there is no such Secret."""
        version = self._versions.version(secret)
        if version is None:
            return None
        known = self._contents.get(secret)
        if known and known.version >= version:
            return known.digests
        try:
            obj = await self._client.get(SECRET, namespace=secret.namespace, name=secret.name)
        except ApiError as error:
            raise explain(error, Ref(SECRET.kind, secret.name), doing="get") from error
        if obj is None:
            return None
        digests = {key: _digest(value) for key, value in (obj.get("data") or {}).items()}
        self._contents[secret] = _Content(int(obj["metadata"]["resourceVersion"]), digests)
        return digests


def _look(use: SecretUse, digests: Mapping[str, str | None] | None) -> str | Missing:
    if digests is None:
        return Missing(use=use, why="does not exist", is_absent=True)
    if use.key is None:
        together = "".join(f"{key}={digest};" for key, digest in sorted(digests.items()) if digest)
        if not together:
            return Missing(use=use, why="is empty")
        return sha256(together.encode()).hexdigest()
    if use.key not in digests:
        there = ", ".join(sorted(digests)) or "none"
        return Missing(use=use, why=f"has no key {use.key!r} (its keys: {there})")
    digest = digests[use.key]
    return Missing(use=use, why=f"has nothing under key {use.key!r}") if digest is None else digest


def _digest(value: str) -> str | None:
    content = b64decode(value)
    return sha256(content).hexdigest() if content else None
