"""``ragdeploy keys``: API keys."""

from __future__ import annotations

import json
import secrets
from typing import Annotated

import typer
from pydantic import ValidationError

from ragdeploy_service.access.key_file import KeyEntry, digest_of
from ragdeploy_service.cli.console import Failure
from ragdeploy_service.rag.access import Access, Period

app = typer.Typer(help="Manage API keys.", no_args_is_help=True)

_KEY_BYTES = 32


@app.callback()
def _group() -> None:
    """Keep `new` a command of its own, though it is the only one."""


@app.command()
def new(
    tenant: Annotated[
        str | None, typer.Option(help="Whose documents it opens; `default` if not given.")
    ] = None,
    scope: Annotated[
        list[Access] | None, typer.Option(help="What it is good for; everything if not given.")
    ] = None,
    key_id: Annotated[
        str | None,
        typer.Option("--id", help="Its name in metrics; that of its file if not given."),
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="0 is no limit; the service's own if not given.")
    ] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(help="Of the language model; as above.")
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(help="Tokens of the language model in each period.")
    ] = None,
    budget_period: Annotated[Period, typer.Option(help="Begins at midnight UTC.")] = Period.MONTH,
) -> None:
    """Make an API key: the key itself on standard error, once, and what to store on standard out.

    ragdeploy keys new --tenant acme --scope query > keys/acme.json

    The output belongs into a file of RAG_API_KEYS_DIR, or as a value into the Secret that is
    mounted there. The key cannot be found from it.
    """
    key = f"rag_{secrets.token_urlsafe(_KEY_BYTES)}"
    budget = {"tokens": budget_tokens, "period": budget_period} if budget_tokens else None
    entry = {
        "sha256": digest_of(key.encode()).hex(),
        "id": key_id,
        "tenant": tenant,
        "scopes": sorted(scope) if scope else None,
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "budget": budget,
    }
    given = {name: value for name, value in entry.items() if value is not None}
    try:
        KeyEntry.model_validate_json(json.dumps(given))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise Failure(f"the service would not take this key. {wrong}") from error
    typer.echo(f"The key, which is shown this once: {key}", err=True)
    typer.echo(json.dumps(given))
