"""What the API server answers when it does not do as asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MISFIT = "failed to create typed patch object"
"""What the API server says of a server-side apply whose fields are not those of the kind
(structured-merge-diff; apimachinery's managedfields/internal/structuredmerge.go)."""


class ApiError(Exception):
    """A request that failed.

    ``status`` is the HTTP status, 0 when there was no answer at all. ``reason``
    and ``message`` are the API server's own. ``retry_after`` is the time in
    seconds that it wants to be left alone for, if it said one.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status or 'no answer'} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self.retry_after = retry_after

    @classmethod
    def unreachable(cls, error: BaseException) -> ApiError:
        """Nobody answered: refused, reset, timed out, or not the server it claims to be."""
        return cls(0, "Unreachable", str(error) or type(error).__name__)

    @classmethod
    def from_answer(
        cls, status: int, reason: str, body: str | None, headers: Mapping[str, str] | None
    ) -> ApiError:
        """Read the ``Status`` object of an answer, or make do without (proxies send HTML)."""
        told = {"code": status, "reason": reason, "message": reason, **_parsed(body)}
        return cls.from_status(told, retry_after=(headers or {}).get("Retry-After"))

    @classmethod
    def from_status(cls, status: Mapping[str, Any], *, retry_after: Any = None) -> ApiError:
        """Read a ``Status`` object, as it comes for a failed request or inside a watch."""
        details = status.get("details") or {}
        return cls(
            status.get("code", 0),
            status.get("reason", ""),
            status.get("message", ""),
            details=details,
            retry_after=_number(retry_after or details.get("retryAfterSeconds")),
        )

    @property
    def is_outage(self) -> bool:
        """Whether the API server as a whole cannot serve now, whatever is asked."""
        if _MISFIT in self.message:  # ours to mend, though it comes as 500
            return False
        return self.status == 0 or self.status == 429 or self.status >= 500

    @property
    def is_gone(self) -> bool:
        """Whether the resource version or the continuation asked for is too old."""
        return self.status == 410

    @property
    def knows_no_dry_run(self) -> bool:
        """Whether a webhook has side effects, so that nothing can be tried out with it."""
        return self.status == 400 and "does not support dry run" in self.message

    def is_absent(self, name: str) -> bool:
        """Whether the API server has looked for an object of this name, and has none.

        A bare 404 says less: an API server that has just started answers so for a kind that
        it does not serve yet.
        """
        return self.status == 404 and self.details.get("name") == name

    def fields(self) -> list[str]:
        """Paths of the fields that the server objects to."""
        return [cause["field"] for cause in self.details.get("causes") or () if "field" in cause]

    def has_cause(self, reason: str) -> bool:
        """Whether one of the causes has this reason."""
        return any(cause.get("reason") == reason for cause in self.details.get("causes") or ())


def _parsed(body: str | None) -> dict[str, Any]:
    try:
        told = json.loads(body or "")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _number(seconds: Any) -> float | None:
    try:
        return float(seconds)
    except (TypeError, ValueError):  # absent, or an HTTP date, which the API server never sends
        return None
