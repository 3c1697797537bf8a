"""The commands of ``kubectl rag``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType

from ragdeploy_kubectl import completion
from ragdeploy_kubectl import drill as drills
from ragdeploy_kubectl import report as reports
from ragdeploy_kubectl import status as states
from ragdeploy_kubectl.kubectl import Kubectl
from ragdeploy_operator.api import PAUSE
from ragdeploy_operator.build import names
from ragdeploy_operator.plan import command as planning
from ragdeploy_service.cli import ask as asking
from ragdeploy_service.cli import index as indexing
from ragdeploy_service.cli.console import Failure
from ragdeploy_service.rag.errors import RagError

app = typer.Typer(
    name="kubectl-rag",
    help="Look after RagDeployments: kubectl rag COMMAND",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Name = Annotated[
    str, typer.Argument(help="Name of the RagDeployment.", autocompletion=completion.names)
]
Collection = Annotated[str | None, typer.Option("--collection")]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="RAGDEPLOY_API_KEY",
        help="Needed where the keys are your own; one that the operator has made is found.",
    ),
]
Context = typer.Context


@app.callback()
def given(
    ctx: Context,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n")] = None,
    context: Annotated[str | None, typer.Option("--context")] = None,
    kubeconfig: Annotated[str | None, typer.Option("--kubeconfig")] = None,
) -> None:
    """Take the options that all commands share, and that kubectl has too."""
    if kubeconfig:
        os.environ["KUBECONFIG"] = kubeconfig  # kubectl reads it, and so does `plan`
    ctx.obj = Kubectl(context, namespace)


@app.command()
def status(
    ctx: Context,
    name: Annotated[
        str | None,
        typer.Argument(help="One of them, in full.", autocompletion=completion.names),
    ] = None,
    *,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A")] = False,
) -> None:
    """Show how the applications are; ends with 1 if one that was named is not ready."""
    kubectl: Kubectl = ctx.obj
    if name is None:
        found = kubectl.resources(all_namespaces=all_namespaces)
        if not found:
            typer.echo("No RagDeployments found.", err=True)
            return
        _show(states.overview(found, all_namespaces=all_namespaces))
        return
    resource = kubectl.resource(name)
    _show(states.detail(resource))
    if states.state(resource)[1] == "bad":
        raise typer.Exit(1)


@app.command()
def query(
    ctx: Context,
    name: Name,
    question: Annotated[str, typer.Argument(help="The question, 3 to 1000 characters.")],
    *,
    collection: Collection = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    api_key: ApiKey = None,
) -> None:
    """Ask an application a question."""
    with _reached(ctx, name, api_key) as (url, key):
        asking.ask(
            question,
            url=url,
            api_key=key,
            collection=collection,
            top_k=None,
            cache=True,
            as_json=as_json,
        )


@app.command()
def ingest(
    ctx: Context,
    name: Name,
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.", exists=True)],
    *,
    collection: Collection = None,
    api_key: ApiKey = None,
) -> None:
    """Index files into an application; what has not changed is passed over."""
    with _reached(ctx, name, api_key) as (url, key):
        indexing.index(
            paths,
            url=url,
            api_key=key,
            collection=collection,
            exclude=None,
            anew=False,
        )


@contextmanager
def _reached(ctx: Context, name: str, api_key: str | None) -> Iterator[tuple[str, str | None]]:
    """URL of an application, and the key that was given or is found."""
    kubectl: Kubectl = ctx.obj
    resource = kubectl.resource(name)
    with kubectl.forwarded(resource) as url:
        yield url, api_key or kubectl.api_key(resource)


@app.command()
def logs(
    ctx: Context,
    name: Name,
    part: Annotated[
        names.Component, typer.Argument(help="The part whose pods it is.")
    ] = names.Component.API,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f")] = False,
    tail: Annotated[int, typer.Option("--tail", help="Lines of each pod.")] = 50,
) -> None:
    """Show the log of a part's pods, each line with the name of its pod."""
    selector = ",".join(f"{key}={value}" for key, value in names.selector(name, part).items())
    arguments = ["logs", f"--selector={selector}", "--prefix", f"--tail={tail}"]
    raise typer.Exit(ctx.obj.run(*arguments, *(["--follow"] if follow else [])))


@app.command()
def plan(
    ctx: Context,
    filename: planning.Filename,
    *,
    server: planning.Server = False,
    output: planning.Written = planning.Output.TEXT,
    exit_code: planning.ExitCode = False,
) -> None:
    """Show what the operator would do with a resource, and which pods it would replace."""
    planning.plan(
        filename,
        namespace=ctx.obj.namespace,
        context=ctx.obj.context,
        server=server,
        output=output,
        exit_code=exit_code,
    )


@app.command()
def pause(ctx: Context, name: Name) -> None:
    """Have the operator keep its hands off, as for repairs by hand; all goes on running."""
    typer.echo(ctx.obj("annotate", "--overwrite", "ragd", name, f"{PAUSE}=true").strip())


@app.command()
def resume(ctx: Context, name: Name) -> None:
    """Undo ``pause``: the operator puts right what was changed meanwhile."""
    typer.echo(ctx.obj("annotate", "ragd", name, f"{PAUSE}-").strip())


@app.command()
def report(
    ctx: Context,
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; NAME-report.tar.gz if absent.")
    ] = None,
) -> None:
    """Collect what somebody needs who is to find out what is wrong; no Secret is in it."""
    kubectl: Kubectl = ctx.obj
    target = output or Path(f"{name}-report.tar.gz")
    reports.write(kubectl.within(kubectl.resource(name)), name, target)
    typer.echo(f"Wrote {target}. Look it through before you send it: logs may name documents.")


@app.command()
def drill(
    ctx: Context,
    name: Name,
    *,
    part: Annotated[
        list[names.Component] | None, typer.Option(help="Only these parts; all if absent.")
    ] = None,
    question: Annotated[
        str, typer.Option(help="What is asked meanwhile.")
    ] = "What is this collection about?",
    rate: Annotated[float, typer.Option(help="Questions a second.", min=0.1)] = 2,
    hard: Annotated[
        bool,
        typer.Option("--hard", help="Kill pods after a second; else they may end, as by drain."),
    ] = False,
    patience: Annotated[
        float, typer.Option(help="Seconds within which all must be as before.")
    ] = 300,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether to begin.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    api_key: ApiKey = None,
) -> None:
    """Take a pod of each part away while questions come in; ends with 1 if anybody noticed."""
    kubectl: Kubectl = ctx.obj
    resource = kubectl.resource(name)
    word, _ = states.state(resource)
    if word != "Ready":
        raise Failure(f"{name} is {word}, not Ready. See `kubectl rag status {name}`.")
    drill = drills.Drill(kubectl=kubectl.within(resource), name=name, hard=hard, patience=patience)
    parts = [one for one in part or drills.PARTS if drill.has(one)]
    if not parts:
        raise Failure(f"{name} has no pods of these parts.")
    _agreed(f"This takes pods of {name} away, one each of {', '.join(parts)}.", yes=yes)
    findings = []
    key = api_key or kubectl.api_key(resource)
    with drill.questions(question, rate=rate, api_key=key) as prober:
        for one in parts:
            typer.echo(f"taking away a pod of {one}", err=True)
            findings.append(drill.strike(one, prober))
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        _show(drills.table(findings))
        for error in sorted({error for finding in findings for error in finding.seen.errors}):
            typer.echo(f"  {error}")
    if not all(finding.passed for finding in findings):
        raise typer.Exit(1)


def _agreed(what: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure(f"{what} Say --yes if that is what you want.")
    if not typer.confirm(f"{what} Go on?"):
        raise typer.Exit(1)


def _show(renderable: RenderableType) -> None:
    if sys.stdout.isatty():
        Console(highlight=False).print(renderable)
        return
    for line in states.lines(renderable):
        typer.echo(line)


def main() -> None:
    """Run the plugin: an error is a sentence and the exit code 1, never a traceback."""
    try:
        app()
    except (Failure, RagError) as error:
        typer.secho(f"kubectl rag: {error}", err=True, fg=typer.colors.RED)
        sys.exit(1)
