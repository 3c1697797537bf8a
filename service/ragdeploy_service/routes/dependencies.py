"""What a route can ask for; those of `JsonRoute` ask the request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.services import Services


def services_of(request: Request) -> Services:
    """What the service is made of."""
    services: Services = request.state.services
    return services


def tenant_of(request: Request) -> str:
    """Whose documents the request may see and change."""
    principal: Principal = request.state.principal
    return principal.tenant


async def _services(request: Request) -> Services:
    return services_of(request)


async def _tenant(request: Request) -> str:
    return tenant_of(request)


Parts = Annotated[Services, Depends(_services)]
Tenant = Annotated[str, Depends(_tenant)]
"""Whose documents the request may see and change."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any name for this request. For a day, the same request with the same key "
        "gives the job that it became the first time, and another request is refused.",
    ),
]
"""What a client may name a request by, so that it can safely send it again."""
