"""The HTTP client below OpenAI's SDK: one that notices when the server is gone without a word.

A pod that vanishes with its address closes no connection. Whoever waits on one would wait for the
whole deadline of the answer, although the next server is there already.
"""

from __future__ import annotations

import socket
from urllib.request import getproxies

import aiohttp
import openai
from httpx_aiohttp.httpx2 import AiohttpTransport

_PROBE_SECONDS = 3
_SILENCE_SECONDS = 6
# By the names of Linux, tcp(7); where there is no such option the deadline must do.
_OPTIONS = {
    "TCP_KEEPIDLE": _PROBE_SECONDS,
    "TCP_KEEPINTVL": _PROBE_SECONDS,
    "TCP_USER_TIMEOUT": _SILENCE_SECONDS * 1000,  # of probes, and of what was sent
}


def http_client(timeout: openai.Timeout) -> openai.DefaultAsyncHttpxClient:
    """Make a client whose connections fail six to nine seconds after the other side has gone.

    It is the SDK's own on aiohttp: httpx looks at each idle connection at every request, which
    with 64 clients is a third of the event loop's time. Through a proxy it is the SDK's as it is,
    because then the other side is the proxy.
    """
    transport = None if getproxies() else _Transport()
    return openai.DefaultAioHttpClient(timeout=timeout, transport=transport)


class _Transport(AiohttpTransport):
    """The SDK's transport takes options for sockets, and does not use them."""

    def get_client(self) -> aiohttp.ClientSession:
        limits = openai.DEFAULT_CONNECTION_LIMITS
        connector = aiohttp.TCPConnector(
            ssl=self.ssl_context,
            limit=limits.max_connections or 0,
            keepalive_timeout=limits.keepalive_expiry,
            socket_factory=_socket,
        )
        return aiohttp.ClientSession(connector=connector)


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
