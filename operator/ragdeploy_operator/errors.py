"""Why a reconcile ended early, with the rule for trying again in the type.

The words that an error carries are shown as they stand in a condition, an
event and the log, so they are written for the person who reads them: what is
wrong with which object, and what to do next. They never hold a value of a
Secret or of a field that may hold one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """When the same resource is looked at again."""

    BACKOFF = "backoff"
    ON_WATCH_EVENT = "on-watch-event"
    ON_NEW_GENERATION = "on-new-generation"
    SLOWLY = "slowly"


class ReconcileError(Exception):
    """A reconcile that could not finish; each subclass says when to try again."""

    retry: ClassVar[Retry]

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep a message for people and a CamelCase ``reason`` for programs."""
        super().__init__(message)
        self.message = message
        self.reason = reason


class Transient(ReconcileError):
    """The API server or the network failed: try again with backoff."""

    retry = Retry.BACKOFF

    def __init__(
        self, message: str, *, reason: str = "ApiUnavailable", retry_after: float | None = None
    ) -> None:
        """Keep ``retry_after``, the seconds that the server asked to be left alone."""
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class Waiting(ReconcileError):
    """Something that others make is not there yet; a watch tells when it is."""

    retry = Retry.ON_WATCH_EVENT


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field of a resource that cannot be used. ``message`` never holds its value."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Invalid(ReconcileError):
    """The resource cannot be built as it is written; only an edit can help."""

    retry = Retry.ON_NEW_GENERATION

    def __init__(
        self, message: str, *, reason: str = "InvalidSpec", fields: Sequence[FieldError] = ()
    ) -> None:
        """Keep the ``fields`` at fault, if they are known."""
        super().__init__(message, reason=reason)
        self.fields = tuple(fields)

    @classmethod
    def at(cls, fields: Sequence[FieldError]) -> Invalid:
        """Make the error whose message lists ``fields``."""
        return cls("; ".join(map(str, fields)), fields=fields)


class NotOwned(ReconcileError):
    """An object with a name we need belongs to somebody else; we leave it alone."""

    retry = Retry.SLOWLY

    def __init__(self, message: str, *, reason: str = "NotOwned") -> None:
        super().__init__(message, reason=reason)
