"""``ragdeploy ask``: one question, its answer and where it comes from."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ragdeploy_service.cli.client import ApiClient
from ragdeploy_service.cli.console import DEFAULT_URL, ApiKey, Url


def ask(
    question: Annotated[str, typer.Argument(help="The question, 3 to 1000 characters.")],
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Passages to answer from.", min=1, max=50)
    ] = None,
    cache: Annotated[
        bool, typer.Option(help="Take an answer that was given before, if there is one.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Ask a question and print the answer with its sources."""
    with ApiClient(url, api_key) as client:
        answer = client.query(question, top_k=top_k, use_cache=cache)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    typer.echo(answer["answer"])
    if answer["sources"]:
        typer.echo()
    for number, source in enumerate(answer["sources"], start=1):
        typer.echo(f"[{number}] {describe(source)}")


def describe(source: dict[str, Any]) -> str:
    """Name a source in one line: title, place, score."""
    metadata = source.get("metadata") or {}
    place = metadata.get("url") or metadata.get("source") or source.get("doc_id") or "?"
    title = metadata.get("title")
    name = f"{title} - {place}" if title and title != place else str(place)
    return f"{name} ({source['score']:.2f})"
