"""A proxy in front of an API server that cuts all connections after the answer to a chosen call."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

# Those of one connection (RFC 9110, section 7.6.1), and what the client library writes itself.
_OF_THE_CONNECTION = {"connection", "host", "content-length", "transfer-encoding"}


class CuttingProxy:
    """Passes requests on until the last one; its client never hears what became of that.

    Args:
        server: URL of the API server.
        ca: File with the certificate authority of it.
        counts: Says from method and path whether a request is counted.
        last: Number of the counted request that is the last, from 1; None for no end.
        on_cut: Called as soon as the server has answered that one.
    """

    def __init__(
        self,
        server: str,
        ca: Path,
        *,
        counts: Callable[[str, str], bool],
        last: int | None,
        on_cut: Callable[[], None],
    ) -> None:
        self.calls = 0
        self.cut = False
        self._server, self._counts, self._last, self._on_cut = server, counts, last, on_cut
        self._tls = ssl.create_default_context(cafile=ca)
        self._loop = asyncio.new_event_loop()
        self._under_way: set[asyncio.Task[object]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.url: str = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> str:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0]
        return f"http://{host}:{port}"

    async def _stop(self) -> None:
        for task in self._under_way:
            task.cancel()  # the runner would wait for them
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            return await self._answered(request)
        finally:
            self._under_way.discard(task)

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        number = 0
        if self._counts(request.method, request.path):
            self.calls += 1
            number = self.calls
        if self.cut or (self._last is not None and number > self._last):
            raise self._hung_up(request)
        async with self._session.request(
            request.method,
            f"{self._server}{request.raw_path}",
            headers=_passed(request.headers),
            data=await request.read() or None,
        ) as answer:
            if number and number == self._last:
                await answer.read()
                self.cut = True
                self._on_cut()
                raise self._hung_up(request)
            response = web.StreamResponse(status=answer.status, headers=_passed(answer.headers))
            with suppress(aiohttp.ClientConnectionResetError):  # who asked has gone
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
            return response

    def _hung_up(self, request: web.Request) -> Exception:
        if request.transport is not None:
            request.transport.abort()
        return ConnectionResetError("cut")


def _passed(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (name, value) for name, value in headers.items() if name.lower() not in _OF_THE_CONNECTION
    ]
