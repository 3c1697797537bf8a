"""What a route can ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

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
