"""At the start: finds out which of the permissions that we need are missing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from ragdeploy_operator import rbac
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError

logger = logging.getLogger(__name__)

_AT_ONCE = 8


async def review(client: Client, *, watched: Sequence[str], own_namespace: str) -> list[str]:
    """Ask for every permission in ``rbac``, and log those that are missing.

    Args:
        client: As whom to ask.
        watched: Namespaces that are looked after; all if empty.
        own_namespace: Where the Lease is.

    Returns:
        The missing permissions that the operator cannot work without, as sentences.
    """
    scopes: list[tuple[str | None, Iterable[rbac.Rule]]] = [(own_namespace, rbac.LEASE)]
    if watched:
        scopes += [(namespace, rbac.NAMESPACED) for namespace in watched]
    else:
        scopes += [(None, (*rbac.NAMESPACED, *rbac.CLUSTER))]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def missing(
        namespace: str | None, rule: rbac.Rule, permission: tuple[str, str, str]
    ) -> str | None:
        group, resource, verb = permission
        async with gate:
            if await client.may(verb, resource, group=group, namespace=namespace):
                return None
        what = f"{resource}.{group}" if group else resource
        words = f"may not {verb} {what} in {namespace or 'all namespaces'} ({rule.why})"
        if rule.optional:
            logger.warning("the operator %s; it does without", words)
            return None
        logger.error("the operator %s; it cannot do its work until its role allows that", words)
        return words

    questions = [
        missing(namespace, rule, permission)
        for namespace, rules in scopes
        for rule in rules
        for permission in rule.permissions()
    ]
    try:
        answers = await asyncio.gather(*questions)
    except ApiError as error:
        logger.warning("the permissions could not be looked at: %s", error)
        return []
    return [answer for answer in answers if answer]
