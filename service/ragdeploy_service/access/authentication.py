"""Lets in who shows a key, and tells callers how much they may still ask (pure ASGI)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragdeploy_service.access.key_ring import KeyRing
from ragdeploy_service.problems import problem
from ragdeploy_service.rag.access import ANONYMOUS
from ragdeploy_service.rag.accounts.account import Account
from ragdeploy_service.rag.quota import Policy, Quota

# Whatever is not named here asks for a key.
_PUBLIC = frozenset(
    {"/health", "/health/index", "/health/live", "/health/ready", "/metrics", "/openapi.json"}
)
_PUBLIC_PAGES = frozenset({"/docs", "/docs/oauth2-redirect", "/playground"})
_PUBLIC_FILES = "/playground/"

# How keys are sent, for the OpenAPI document.
KEY_SCHEMES = {
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


class Authentication:
    """Puts the caller into the request's state as ``principal``, before the body is read.

    On public paths it is None if no accepted key was sent.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing | None) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = _shown_key(Headers(scope=scope)) if self._keys else None
        principal = ANONYMOUS if self._keys is None else self._keys.holder(key) if key else None
        scope["state"]["principal"] = principal
        if principal or _is_public(scope["path"]):
            await self._app(scope, receive, _with_quotas(scope, send))
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


def _is_public(path: str) -> bool:
    return path in _PUBLIC or path in _PUBLIC_PAGES or path.startswith(_PUBLIC_FILES)


def _shown_key(headers: Headers) -> bytes | None:
    key = headers.get("x-api-key", "").strip()
    if not key:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        key = shown.strip() if scheme.lower() == "bearer" else ""
    return key.encode("latin-1") or None  # the bytes that were sent


def _with_quotas(scope: Scope, send: Send) -> Send:
    """Add what is left of the caller's limits, if the route has looked at them."""

    async def send_with_quotas(message: Message) -> None:
        if message["type"] == "http.response.start":
            account: Account | None = scope["state"].get("account")
            if account is not None and account.quotas:
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"], headers["RateLimit"] = rate_limit(account.quotas)
        await send(message)

    return send_with_quotas


def rate_limit(quotas: Iterable[Quota]) -> tuple[str, str]:
    """Write RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11)."""
    policies, states = [], []
    for quota in quotas:
        # The draft's units are requests, the default, and bytes; it has no word for tokens.
        unit = "" if quota.policy is Policy.REQUESTS else ';qu="tokens"'
        policies.append(f'"{quota.policy}";q={quota.limit}{unit};w={quota.window}')
        states.append(f'"{quota.policy}";r={quota.remaining};t={quota.more_in}')
    return ", ".join(policies), ", ".join(states)


def with_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Add to an OpenAPI document how keys are sent; where, the routes say themselves."""
    document["components"]["securitySchemes"] = KEY_SCHEMES
    return document
