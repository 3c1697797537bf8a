"""``ragdeploy serve``: the API in this process."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn

from ragdeploy_service.cli.console import DEFAULT_URL, Failure, load_settings
from ragdeploy_service.cli.model import prepare
from ragdeploy_service.lifecycle import Drain
from ragdeploy_service.server import DrainingServer
from ragdeploy_service.settings import (
    EmbeddingBackend,
    EmbeddingProvider,
    LogFormat,
    Role,
    ServiceSettings,
)

_log = structlog.get_logger(__name__)


Host = Annotated[
    str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless RAG_HOST is set.")
]
Port = Annotated[
    int | None,
    typer.Option(help="Port; 8000 unless RAG_PORT or PORT is set.", min=1, max=65535),
]


def serve(host: Host = None, port: Port = None) -> None:
    """Start the service. Every setting is a variable RAG_...."""
    _start(load_settings(host=host, port=port))


def indexer(host: Host = None, port: Port = None) -> None:
    """Work off index jobs that the service has taken in; serves probes and metrics only."""
    _start(load_settings(host=host, port=port, role=Role.INDEXER))


def _start(settings: ServiceSettings) -> None:
    gc.disable()  # until it is ready: nothing that is imported is garbage, and looking takes 0.4 s
    listener = _bind(settings)
    if _fetches_model(settings):
        prepare(settings)
    _run(settings, listener)


def _bind(settings: ServiceSettings) -> socket.socket:
    """Take the port before the slow part of the start, and listen only after it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Failure(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another port with --port or PORT."
        ) from error
    return listener


def _fetches_model(settings: ServiceSettings) -> bool:
    return (
        settings.embedding_provider is EmbeddingProvider.LOCAL
        and settings.embedding_backend is EmbeddingBackend.ONNX
    )


def _run(settings: ServiceSettings, listener: socket.socket) -> None:
    # Late, so that a mistake in the settings is told before the slow imports.
    from ragdeploy_service.app import create_app

    app = create_app(settings)
    config = uvicorn.Config(
        app,
        # None leaves logging as create_app has set it up.
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
    )
    server = _Server(
        config,
        drain=app.state.drain,
        lingers=not settings.on_loopback,
        on_started=lambda: _greet(settings),
    )
    # uvicorn raises the signal again once it has drained; the end is then as wanted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return
    if not server.started:
        sys.exit(1)


class _Server(DrainingServer):
    """Tells when requests are accepted."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        drain: Drain,
        lingers: bool,
        on_started: Callable[[], None],
    ) -> None:
        super().__init__(config, drain=drain, lingers=lingers)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()
        # What is there now stays. The garbage collector would look through it again and again: some
        # hundred thousand objects, a third of the time that went into an answer from the cache.
        gc.freeze()
        gc.enable()


def _greet(settings: ServiceSettings) -> None:
    """Say where the service listens, and to a person what to type next."""
    url = _url(settings)
    if settings.log_format is LogFormat.JSON:
        _log.info("listening", url=url, role=settings.role)
        return
    if settings.role is Role.INDEXER:
        typer.echo(f"ragdeploy works off index jobs; probes and metrics are at {url}")
        return
    command = _command()
    option = "" if url == DEFAULT_URL else f" --url {url}"
    mode = (
        f"Answers are written by {settings.llm_model}."
        if settings.llm_enabled
        else "Answers are extracts; with OPENAI_API_KEY set, a language model writes them."
    )
    browse = "open" if sys.platform == "darwin" else "xdg-open"
    typer.echo(
        f"""
ragdeploy listens on {url}
{mode}

In another terminal, index a folder, ask, and look at the API:

  {command} index{option} docs/
  {command} ask{option} "What is this project for?"
  {browse} {url}/docs
"""
    )


def _url(settings: ServiceSettings) -> str:
    host = settings.host
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _command() -> str:
    """Name this program as the person can type it from the present folder."""
    if shutil.which("ragdeploy") == sys.argv[0]:
        return "ragdeploy"
    program = Path(sys.argv[0])
    if program.name != "ragdeploy":  # python -m
        return "ragdeploy"
    relative = os.path.relpath(program)
    return str(program) if relative.startswith("..") else relative
