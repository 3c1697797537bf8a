"""An answer as it comes into being: its passages, its text piece by piece, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

from ragdeploy_service.rag.answering.pipeline import Outcome
from ragdeploy_service.rag.answering.progress import Found, Listener, Piece, Progress

Step: TypeAlias = Progress | Outcome


async def stream(ask: Callable[[Listener], Awaitable[Outcome]]) -> AsyncGenerator[Step]:
    """Yield one `Found`, then pieces, then the `Outcome`; raises what ``ask`` raises.

    An answer that is not being written now, such as one from the cache, comes in one piece.
    The outcome's text is the pieces put together, unless the language model failed after
    its first words: then the outcome stands, and what was said before does not.

    Closing the generator cancels ``ask``. Its listener never waits, so a slow reader holds up
    nobody who shares the answer; what waits here is one answer at most.
    """
    steps: asyncio.Queue[Progress | None] = asyncio.Queue()
    task = asyncio.ensure_future(ask(steps.put_nowait))
    task.add_done_callback(lambda _: steps.put_nowait(None))
    found = said = False
    try:
        while (step := await steps.get()) is not None:
            found = found or isinstance(step, Found)
            said = said or isinstance(step, Piece)
            yield step
        outcome = task.result()
        if not found:
            yield Found(passages=outcome.answer.passages, cached=outcome.cached)
        if not said:
            yield Piece(text=outcome.answer.text)
        yield outcome
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
