"""What a route can ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.services import Services


async def _services(request: Request) -> Services:
    services: Services = request.state.services
    return services


async def _tenant(request: Request) -> str:
    principal: Principal = request.state.principal
    return principal.tenant


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
