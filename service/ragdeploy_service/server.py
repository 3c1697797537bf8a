"""uvicorn, with an end in three steps: not ready, no new connections, gone."""

from __future__ import annotations

import faulthandler
import math
import signal
import time
from types import FrameType

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragdeploy_service.lifecycle import Drain

# Whoever sends requests here sees the failing readiness probe, or the vanished endpoint, a
# moment after SIGTERM. Until then new connections are still served.
_LINGER_SECONDS = 1.0

# What is closed after the drain takes milliseconds. A process that hangs there would be killed
# without a word, by Kubernetes ten seconds after the drain; before that it tells where it hangs.
_CLOSING_SECONDS = 5.0


class LastAnswers:
    """Asks clients to close their connections once the drain has begun (pure ASGI).

    uvicorn closes an idle connection at the end of the linger without a word.
    A client that sends its next request on it at that moment cannot tell
    whether it was worked on; one that was asked to close opens another.
    """

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._drain.begun:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, last if scope["type"] == "http" else send)


class DrainingServer(uvicorn.Server):
    """Begins the app's drain at the signal, and gives running requests its time.

    Ctrl-C, and SIGTERM where only this machine sends requests, close the
    listener at once.
    """

    def __init__(self, config: uvicorn.Config, *, drain: Drain, lingers: bool) -> None:
        super().__init__(config)
        self._drain = drain
        self._linger = _LINGER_SECONDS if lingers else 0.0
        self._close_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal; what follows from it happens in the event loop."""
        longest = self._linger + self._drain.remaining + _CLOSING_SECONDS
        faulthandler.dump_traceback_later(longest, exit=True)
        if sig == signal.SIGTERM and math.isinf(self._close_at):
            self._captured_signals.append(sig)
            self._close_at = time.monotonic() + self._linger
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Look every 0.1 s whether it is time to stop."""
        if not math.isinf(self._close_at) or self.should_exit:
            self._drain.begin()
        if time.monotonic() >= self._close_at:
            self.should_exit = True
        stop = await super().on_tick(counter)
        if stop:
            # What is left of the drain's seconds, as whole ones: uvicorn takes no others.
            self.config.timeout_graceful_shutdown = math.ceil(self._drain.remaining)
        return stop
