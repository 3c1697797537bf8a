"""An answer that has begun to come, for whoever sends it on as a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import Request

from ragdeploy_service.rag.accounts.account import Account
from ragdeploy_service.rag.answering.progress import Found
from ragdeploy_service.rag.answering.streaming import Step, stream
from ragdeploy_service.rag.question import Question
from ragdeploy_service.routes.leaving import while_connected
from ragdeploy_service.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What was found, the steps that follow, and what must be closed behind them."""

    found: Found
    steps: AsyncGenerator[Step]
    resources: AsyncExitStack


async def begin(question: Question, account: Account, request: Request, parts: Services) -> Begun:
    """Begin to answer, and return once the sources are found: until then errors have a status.

    Raises:
        RagError: what `Pipeline.ask` raises, `TooManyStreams`.
        ClientDisconnect: the client has left.

    """
    async with AsyncExitStack() as stack:
        stack.enter_context(parts.streams.one())
        steps = stream(lambda listener: parts.pipeline.ask(question, account, listener=listener))
        stack.push_async_callback(steps.aclose)
        found = await while_connected(request, _first(steps))
        return Begun(found=found, steps=steps, resources=stack.pop_all())


async def _first(steps: AsyncGenerator[Step]) -> Found:
    step = await anext(steps)
    if not isinstance(step, Found):
        raise TypeError("a stream begins with what was found")
    return step
