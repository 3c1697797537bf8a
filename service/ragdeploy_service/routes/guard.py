"""What a route needs of its caller, said where the route is declared.

>>> router = APIRouter(route_class=GuardedRoute)
>>> @router.post("/query", dependencies=[needs(Access.QUERY)])
... async def query(body: QueryRequest, request: Request) -> Answer: ...
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Depends, HTTPException, Request, Response, params
from fastapi.routing import APIRoute

from ragdeploy_service.access.authentication import KEY_SCHEMES
from ragdeploy_service.rag.access import Access, Principal
from ragdeploy_service.rag.accounts.account import Account
from ragdeploy_service.services import Services
from ragdeploy_service.settings import ServiceSettings

Size = int | Callable[[ServiceSettings], int]
"""A number of bytes, or the setting that holds it."""


class Need:
    """Lets a caller in whose key is good for something, and who has not asked too often.

    Raises:
        HTTPException: 403.
        LimitExceeded: the caller has made too many requests.

    """

    def __init__(self, access: Access, *, counted: bool, most_bytes: Size | None) -> None:
        self.access = access
        self._counted = counted
        self._most_bytes = most_bytes

    async def __call__(self, request: Request) -> None:
        principal: Principal = request.state.principal
        if self.access not in principal.scopes:
            raise HTTPException(403, f"This needs a key with the scope `{self.access}`.")
        services: Services = request.state.services
        if self._most_bytes is not None:
            most = self._most_bytes
            request.state.most_body_bytes = most(services.settings) if callable(most) else most
        account = Account(principal, meter=services.meter, telemetry=services.metrics)
        request.state.account = account
        if self._counted:
            await account.admit()


def needs(access: Access, *, counted: bool = True, most_bytes: Size | None = None) -> Any:
    """Say what a key must be good for to get to a route: FastAPI's `Depends` on a `Need`.

    Args:
        access: The scope.
        counted: Whether it is a request of the minute's quota. Looking at something small is
            not, and then must not ask the language model either.
        most_bytes: The largest body, if not what the service takes elsewhere.

    """
    return Depends(Need(access, counted=counted, most_bytes=most_bytes))


class GuardedRoute(APIRoute):
    """Checks what a route needs before the body is read, which FastAPI does after.

    Also says it in the OpenAPI document.
    """

    def __init__(
        self, *args: Any, dependencies: Sequence[params.Depends] | None = None, **kwargs: Any
    ) -> None:
        # Not FastAPI's to solve: it would come to them again, later.
        self._needs, left = _parted(dependencies or ())
        super().__init__(*args, dependencies=left, **kwargs)
        scopes = [need.access.value for need in self._needs]
        self.openapi_extra = {
            "security": [{scheme: scopes} for scheme in KEY_SCHEMES],
            **(self.openapi_extra or {}),
        }

    async def guard(self, request: Request) -> None:
        """Let a request in; raises what `Need` does."""
        for need in self._needs:
            await need(request)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await self.guard(request)
            return await handle(request)

        return guarded


def _parted(dependencies: Sequence[params.Depends]) -> tuple[list[Need], list[params.Depends]]:
    """Separate needs from other dependencies."""
    needs = [each.dependency for each in dependencies if isinstance(each.dependency, Need)]
    return needs, [each for each in dependencies if not isinstance(each.dependency, Need)]


def account_of(request: Request) -> Account:
    """The account of whoever asks; only for routes with `needs`."""
    account: Account = request.state.account
    return account
