"""``ragdeploy ask``: one question, its answer and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ragdeploy_service.cli.client import ApiClient
from ragdeploy_service.cli.console import DEFAULT_URL, ApiKey, Collection, Url


def ask(
    question: Annotated[str, typer.Argument(help="The question, 3 to 1000 characters.")],
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    collection: Collection = None,
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
        answer = client.query(question, collection=collection, top_k=top_k, use_cache=cache)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    typer.echo(answer["answer"])
    if answer["sources"]:
        typer.echo()
    for line in describe(answer["sources"]):
        typer.echo(line)


def describe(sources: Sequence[dict[str, Any]]) -> list[str]:
    """Name each document in one line: its citations, title, place and best score."""
    citations: dict[str, list[str]] = {}
    best: dict[str, dict[str, Any]] = {}
    for source in sources:
        citations.setdefault(source["doc_id"], []).append(f"[{source['citation']}]")
        best.setdefault(source["doc_id"], source)
    return [
        f"{' '.join(citations[doc_id])} {_name(source)} ({source['score']:.2f})"
        for doc_id, source in best.items()
    ]


def _name(source: dict[str, Any]) -> str:
    metadata = source["metadata"]
    place = str(metadata.get("url") or metadata.get("source") or source["doc_id"])
    title = metadata.get("title")
    return f"{title} - {place}" if title and title != place else place
