"""From what the API server answers to the four kinds of errors, in words for people."""

from __future__ import annotations

from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.errors import Invalid, ReconcileError, Transient, Waiting
from ragdeploy_operator.objects import Ref

CONFLICT = "Conflict"
"""Reason of the error that an object was changed by somebody else in the same moment."""

IMMUTABLE = "Immutable"
"""Reason of the error that a StatefulSet cannot be edited in this way."""

_IMMUTABLE = "updates to statefulset spec for fields other than"  # validation in k8s.io/kubernetes

_DENIED = "denied the request"
"""What the API server says for a webhook that refuses, often with the code of missing rights
(apiserver's plugin/webhook/errors)."""

_LONGEST = 600
"""Characters of the API server's own words that a message repeats."""


def explain(error: ApiError, ref: Ref, *, doing: str) -> ReconcileError:
    """Say what went wrong while ``doing`` ("apply", "delete") something to an object."""
    what = str(ref)
    if error.is_outage:
        return _outage(error, what)
    if error.has_cause("NamespaceTerminating"):
        return Waiting(
            f"The namespace is being deleted, so {what} is not made any more.",
            reason="NamespaceTerminating",
        )
    if error.status == 403 and "exceeded quota" in error.message:
        return Transient(
            f"The namespace's quota leaves no room for {what}: {_quote(error)}. "
            "Raise the ResourceQuota, or ask for less.",
            reason="QuotaExceeded",
        )
    if error.status in (401, 403) and _DENIED not in error.message:
        return Transient(
            f"The operator may not {doing} {what}: {_quote(error)}. "
            f"Grant its service account that permission.",
            reason="Forbidden",
        )
    if error.status in (404, 409, 410) or "metadata.uid" in error.fields():
        return Transient(f"{what} changed while it was looked at; trying again.", reason=CONFLICT)
    if _IMMUTABLE in error.message:
        return Invalid(f"{what} must be made anew.", reason=IMMUTABLE)
    return Invalid(
        f"The API server refuses {what}: {_reason(error, ref)}. "
        "What ran before keeps running; edit the resource.",
        reason="Refused",
    )


def _outage(error: ApiError, what: str) -> Transient:
    if error.status == 0:
        return Transient(
            f"The API server cannot be reached ({error.message}); trying again.",
            reason="ApiUnavailable",
        )
    return Transient(
        f"The API server could not handle {what} ({error.status} {_quote(error)}); trying again.",
        reason="ApiBusy" if error.status == 429 else "ApiUnavailable",
        retry_after=error.retry_after,
    )


def _reason(error: ApiError, ref: Ref) -> str:
    # a complaint about a value quotes the value
    return error.reason if ref.kind == "Secret" else _quote(error)


def _quote(error: ApiError) -> str:
    text = " ".join(error.message.split()).rstrip(".")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
