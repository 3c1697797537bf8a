"""The command ``ragdeploy plan``. The command line finds it as an entry point of the package."""

from __future__ import annotations

import asyncio
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ragdeploy_operator.plan.steps import Plan

_COLOURS = {
    "create": typer.colors.GREEN,
    "change": typer.colors.YELLOW,
    "recreate": typer.colors.YELLOW,
    "delete": typer.colors.RED,
    "wait": typer.colors.CYAN,
}


class Output(StrEnum):
    """How a plan is written."""

    TEXT = "text"
    JSON = "json"


Filename = Annotated[
    Path, typer.Option("--filename", "-f", help="File with RagDeployments; - for stdin.")
]
Server = Annotated[
    bool,
    typer.Option(
        "--server",
        help="Let the API server try it (dryRun=All): defaults, rules and webhooks count. "
        "Needs the right to write.",
    ),
]
Written = Annotated[Output, typer.Option("--output", "-o")]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Exit with 2 if anything would change.")
]


def plan(
    filename: Filename,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Where the file names none; the context's if none."),
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", help="Of the kubeconfig; the current one if absent.")
    ] = None,
    server: Server = False,
    output: Written = Output.TEXT,
    exit_code: ExitCode = False,
) -> None:
    """Show what the operator would do with a resource, and which pods it would replace."""
    # Heavy, and not there where only the service is installed.
    try:
        from ragdeploy_operator.engine.client import current_namespace
        from ragdeploy_operator.errors import ReconcileError
        from ragdeploy_operator.plan.looking import plan as look
    except ImportError as error:
        _fail(f"this needs the Kubernetes client: pip install 'ragdeploy[operator]' ({error.name})")
    resources = _read(filename)
    for resource in resources:
        resource["metadata"].setdefault("namespace", namespace or current_namespace(context))
    try:
        plans = asyncio.run(_all(look, resources, context=context, server=server))
    except ReconcileError as error:
        _fail(error.message)
    if output is Output.JSON:
        typer.echo(json.dumps([made.as_json() for made in plans], indent=2))
    else:
        _show(plans)
    if any(made.refusals for made in plans):
        raise typer.Exit(1)
    if exit_code and any(made.changes for made in plans):
        raise typer.Exit(2)


async def _all(
    look: Any, resources: list[dict[str, Any]], *, context: str | None, server: bool
) -> list[Plan]:
    from ragdeploy_operator.engine.client import Client, load_configuration

    configuration = await load_configuration(context)
    async with Client(configuration, on_answer=lambda _verb, _code: None) as client:
        return [await look(client, resource, server=server) for resource in resources]


def _read(filename: Path) -> list[dict[str, Any]]:
    import yaml

    try:
        text = sys.stdin.read() if str(filename) == "-" else filename.read_text("utf-8")
        documents = [document for document in yaml.safe_load_all(text) if document]
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"{filename} cannot be read: {error}")
    except yaml.YAMLError as error:
        _fail(f"{filename} is no YAML: {error}")
    found = [
        document
        for document in documents
        if isinstance(document, dict) and document.get("kind") == "RagDeployment"
    ]
    if not found:
        _fail(f"{filename} holds no RagDeployment.")
    for document in found:
        if not isinstance(document.get("metadata"), dict) or not document["metadata"].get("name"):
            _fail(f"{filename}: metadata.name is missing; give the RagDeployment a name.")
    return found


def _show(plans: list[Plan]) -> None:
    from ragdeploy_operator.plan.printing import lines

    for made in plans:
        for action, line in lines(made):
            typer.secho(line, fg=_COLOURS.get(str(action)) if action else None)


def _fail(message: str) -> Any:
    typer.secho(f"ragdeploy: {message}", err=True, fg=typer.colors.RED)
    raise typer.Exit(1)
