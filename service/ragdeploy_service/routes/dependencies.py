"""What a route can ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from ragdeploy_service.services import Services


async def _services(request: Request) -> Services:
    services: Services = request.state.services
    return services


Parts = Annotated[Services, Depends(_services)]
