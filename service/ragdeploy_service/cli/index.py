"""``ragdeploy index``: files into the service, with progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ragdeploy_service.cli.client import ApiClient
from ragdeploy_service.cli.console import DEFAULT_URL, ApiKey, Collection, Failure, Url
from ragdeploy_service.cli.ingest import Ingestion, Tally
from ragdeploy_service.documents import KINDS, find_files

_LINE_SECONDS = 5.0


def index(
    paths: Annotated[
        list[Path],
        typer.Argument(help=f"Files, or folders of {' '.join(KINDS)}.", exists=True),
    ],
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    collection: Collection = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Pattern of names or paths to leave out; may be given again."),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Hand in all files, unchanged ones too.")
    ] = False,
) -> None:
    """Read files and index them. What is indexed already and has not changed is passed over.

    Exits with 0 if all is indexed, 1 if something could not be, 130 if stopped with Ctrl-C.
    """
    files = list(find_files(paths, exclude=exclude or []))
    if not files:
        raise Failure(f"there is no file of a known kind ({', '.join(KINDS)}) in what was named.")
    started = time.monotonic()
    with ApiClient(url, api_key) as client:
        before = client.chunks(collection)
        try:
            with _progress(len(files)) as show:
                ingestion = Ingestion(client, collection=collection, anew=anew, on_progress=show)
                ingestion.run(files)
        except KeyboardInterrupt:
            typer.echo(
                "Stopped. What was handed in is still being indexed; for the rest, run the "
                "command again.",
                err=True,
            )
            raise typer.Exit(130) from None
        seconds = time.monotonic() - started
        after = client.chunks(collection)
    tally = ingestion.tally
    typer.echo(_summary(tally, seconds=seconds, before=before, after=after))
    if tally.problems:
        typer.echo(f"{len(tally.problems)} could not be indexed:", err=True)
        for problem in tally.problems:
            typer.echo(f"  {problem}", err=True)
        raise typer.Exit(1)


def _summary(tally: Tally, *, seconds: float, before: int | None, after: int | None) -> str:
    text = f"{tally.indexed:,} documents indexed in {seconds:.1f} s"
    text += f", {tally.unchanged:,} unchanged." if tally.unchanged else "."
    if before is None or after is None:
        return text
    new = after - before
    if new <= 0:
        return f"{text} The collection holds {after:,} passages."
    return (
        f"{text} {new:,} new passages, {new / seconds:.0f} a second; "
        f"the collection holds {after:,}."
    )


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show how many documents are done: a bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    bar = Progress(
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("documents"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("indexing", total=total)
        yield lambda done: bar.update(task, completed=done)


def _lines(total: int) -> Callable[[int], None]:
    said, last = 0, time.monotonic()

    def show(done: int) -> None:
        nonlocal said, last
        if done > said and time.monotonic() - last >= _LINE_SECONDS:
            said, last = done, time.monotonic()
            typer.echo(f"{done}/{total} documents", err=True)

    return show
