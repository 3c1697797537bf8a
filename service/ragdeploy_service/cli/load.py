"""``ragdeploy load``: questions at a steady rate, and how many were answered how fast."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ragdeploy_service.cli.console import DEFAULT_URL, ApiKey, Collection, Failure, Url
from ragdeploy_service.cli.load_generator import Load, Outcome, Tally


def load(
    questions: Annotated[
        list[str] | None, typer.Argument(help="Questions, asked in turns.", show_default=False)
    ] = None,
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    collection: Collection = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="More questions, one a line.", exists=True)
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Questions a second in all; as many as are answered if absent.", min=0.1),
    ] = None,
    seconds: Annotated[float, typer.Option(help="For how long.", min=1)] = 30,
    clients: Annotated[
        int, typer.Option(help="Questions under way at once.", min=1, max=1000)
    ] = 16,
    timeout: Annotated[float, typer.Option(help="Seconds until a question has failed.")] = 35,
    cache: Annotated[bool, typer.Option(help="Take answers that were given before.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, a line for each second.")
    ] = False,
) -> None:
    """Ask questions at a rate and tell how it went; ends with 1 if any was not answered."""
    asked = [*(questions or ()), *(_lines(file) if file else ())]
    if not asked:
        raise Failure("there is no question; give one, or a file with --file.")
    plan = Load(
        url=url.rstrip("/"),
        api_key=api_key,
        questions=asked,
        rate=rate,
        seconds=seconds,
        clients=clients,
        timeout=timeout,
        fields={"use_cache": cache, **({"collection": collection} if collection else {})},
    )
    began = time.monotonic()
    total = asyncio.run(_run(plan, as_json=as_json))
    if not as_json:
        typer.echo(_sentence(total, time.monotonic() - began))
    if total.outcomes[Outcome.FAILED]:
        raise typer.Exit(1)


async def _run(plan: Load, *, as_json: bool) -> Tally:
    total = Tally(time.time())
    live = sys.stderr.isatty() and not as_json
    async for tally in plan.tallies():
        total.merge(tally)
        if as_json:
            typer.echo(json.dumps(tally.as_json()))
            sys.stdout.flush()
        elif live:
            typer.echo(f"\r\x1b[K{_counts(tally)}", err=True, nl=False)
    if live:
        typer.echo("\r\x1b[K", err=True, nl=False)
    return total


def _sentence(total: Tally, seconds: float) -> str:
    lines = [f"{_counts(total)}; {total.outcomes.total() / seconds:.1f} a second"]
    lines += [f"  {error}" for error in total.errors]
    return "\n".join(lines)


def _counts(tally: Tally) -> str:
    counts = ", ".join(
        f"{tally.outcomes[outcome]} {outcome}"
        for outcome in Outcome
        if tally.outcomes[outcome] or outcome in {Outcome.ANSWERED, Outcome.FAILED}
    )
    told = tally.as_json()
    if told["p50_ms"] is None:
        return counts
    return f"{counts}; p50 {told['p50_ms']:.0f} ms, p99 {told['p99_ms']:.0f} ms"


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {error}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
