"""What the API server says it was asked: the audit log, as typed entries.

Counts taken here are the truth: a client that retries, or that sends more than
it admits, cannot hide it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually

WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
READ_VERBS = frozenset({"get", "list"})

# One line per request: a watch when it starts, everything else when it is answered.
# Bodies of writes are kept, so that a surprising write can be shown, but not those of Secrets.
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [
        {
            "level": "Metadata",
            "verbs": ["watch"],
            "omitStages": ["RequestReceived", "ResponseComplete"],
        },
        {
            "level": "Metadata",
            "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}],
            "omitStages": ["RequestReceived", "ResponseStarted"],
        },
        {
            "level": "Request",
            "verbs": sorted(WRITE_VERBS),
            "omitStages": ["RequestReceived", "ResponseStarted"],
        },
        {"level": "Metadata", "omitStages": ["RequestReceived", "ResponseStarted"]},
    ],
}


@dataclass(frozen=True)
class AuditEntry:
    """One request that the API server has answered (or, for a watch, begun to)."""

    verb: str
    user: str
    code: int
    uri: str
    group: str
    resource: str
    """Plural, as in RBAC rules; empty when the request is for no resource."""
    subresource: str
    namespace: str
    name: str
    received: datetime
    answered: datetime
    user_agent: str
    body: Any
    """What was sent with a write; None for reads and Secrets."""

    @property
    def path(self) -> str:
        """Resource and subresource as in RBAC rules, such as ``deployments/scale``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing was stored, whatever the answer."""
        return "dryRun=All" in self.uri

    @classmethod
    def parse(cls, line: str) -> AuditEntry:
        event = json.loads(line)
        target = event.get("objectRef", {})
        return cls(
            verb=event["verb"],
            user=event["user"].get("username", ""),
            code=event.get("responseStatus", {}).get("code", 0),
            uri=event["requestURI"],
            group=target.get("apiGroup", ""),
            resource=target.get("resource", ""),
            subresource=target.get("subresource", ""),
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            received=datetime.fromisoformat(event["requestReceivedTimestamp"]),
            answered=datetime.fromisoformat(event["stageTimestamp"]),
            user_agent=event.get("userAgent", ""),
            body=event.get("requestObject"),
        )

    def __str__(self) -> str:
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.path or self.uri} {where} -> {self.code} ({self.user})"


class Entries(tuple[AuditEntry, ...]):
    """Audit entries in the order of the answers; filters give a narrower tuple."""

    def where(self, keep: Callable[[AuditEntry], bool]) -> Entries:
        return Entries(filter(keep, self))

    def by(self, user: str) -> Entries:
        """Those of one user."""
        return self.where(lambda entry: entry.user == user)

    def within(self, namespace: str) -> Entries:
        """Those for what is in one namespace."""
        return self.where(lambda entry: entry.namespace == namespace)

    def of(self, *resources: str) -> Entries:
        """Those for these resources, plural, subresources such as status included."""
        return self.where(lambda entry: entry.resource in resources)

    def without(self, *resources: str) -> Entries:
        """Those for other resources than these, such as ``leases``."""
        return self.where(lambda entry: entry.resource not in resources)

    def writes(
        self,
        *,
        user: str | None = None,
        without: Collection[str] = (),
        namespace: str | None = None,
    ) -> Entries:
        """Those that ask for a change, whether it was granted or not; dry runs do not.

        Args:
            user: One user's only.
            without: Resources to leave out.
            namespace: Those in one namespace only.
        """
        return self.where(
            lambda entry: (
                entry.verb in WRITE_VERBS
                and not entry.is_dry_run
                and (user is None or entry.user == user)
                and (namespace is None or entry.namespace == namespace)
                and entry.resource not in without
            )
        )

    def dry_runs(self) -> Entries:
        """Those that ask what a change would come to."""
        return self.where(lambda entry: entry.is_dry_run)

    def reads(self, *, user: str | None = None) -> Entries:
        """The gets and lists of resources, watches not counted."""
        return self.where(
            lambda entry: (
                entry.verb in READ_VERBS
                and entry.resource != ""
                and (user is None or entry.user == user)
            )
        )

    def watches(self, *, user: str | None = None) -> Entries:
        """The watches that began."""
        return self.where(
            lambda entry: entry.verb == "watch" and (user is None or entry.user == user)
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "(no request)"

    __repr__ = __str__  # what pytest shows when an assertion about them fails


class AuditLog:
    """Reads the audit log of a running API server.

    >>> before = audit.mark()
    >>> ...
    >>> assert not audit.since(before).writes(user=OPERATOR, without=["leases"])

    Args:
        path: The log, one JSON object per line.
        ask: Sends a GET for a path to that API server.
    """

    def __init__(self, path: Path, *, ask: Callable[[str], object]) -> None:
        self.path = path
        self._ask = ask

    def mark(self) -> int:
        """This moment: a place in the log after all requests that were answered before.

        Entries are written after the answer is sent, so a request of our own is made
        and looked for; the server writes them in the order in which it is done.
        """
        token = f"/version?audit-mark={secrets.token_hex(8)}"
        start = self.path.stat().st_size if self.path.exists() else 0
        self._ask(token)
        needle = f'"requestURI":"{token}"'.encode()

        def after_our_line() -> int | None:
            with self.path.open("rb") as log:
                log.seek(start)
                found = log.read()
            at = found.find(needle)
            end = found.find(b"\n", at) + 1 if at >= 0 else 0
            return start + end if end else None

        return eventually(after_our_line, what="the API server's audit log")

    def since(self, mark: int = 0) -> Entries:
        """All requests answered between ``mark`` and now; our own marks are not among them."""
        end = self.mark()
        with self.path.open("rb") as log:
            log.seek(mark)
            lines = log.read(end - mark).decode().splitlines()
        return Entries(_entries(lines))


def _entries(lines: Iterable[str]) -> Iterable[AuditEntry]:
    return (AuditEntry.parse(line) for line in lines if "/version?audit-mark=" not in line)
