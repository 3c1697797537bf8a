"""The command ``ragdeploy``: serve, indexer, index, ask, eval, load, keys new, model fetch.

Other packages add commands to it by the entry point group ``ragdeploy.commands``; each
names a function that typer understands.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from importlib.util import find_spec

import typer

from ragdeploy_service.cli import ask, evaluate, index, keys, load, model, serve
from ragdeploy_service.cli.console import Failure
from ragdeploy_service.rag.errors import RagError

app = typer.Typer(
    name="ragdeploy",
    help="Answer questions from your own documents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("indexer")(serve.indexer)
app.command("index")(index.index)
app.command("ask")(ask.ask)
app.command("eval")(evaluate.evaluate)
app.command("load")(load.load)
app.add_typer(keys.app, name="keys")
app.add_typer(model.app, name="model")
for _added in entry_points(group="ragdeploy.commands"):
    if find_spec(_added.module.partition(".")[0]) is not None:  # not in the service's image
        app.command(_added.name)(_added.load())


def main() -> None:
    """Run the command line: an error is a sentence and the exit code 1, never a traceback."""
    try:
        app()
    except (Failure, RagError) as error:
        typer.secho(f"ragdeploy: {error}", err=True, fg=typer.colors.RED)
        sys.exit(1)
