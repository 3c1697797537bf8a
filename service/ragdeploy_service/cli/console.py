"""What the commands share: settings, options and errors."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from ragdeploy_service.settings import PREFIX, ServiceSettings

DEFAULT_URL = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option("--url", envvar="RAGDEPLOY_URL", help="Address of the service.")]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="RAGDEPLOY_API_KEY",
        show_envvar=True,
        help="API key, where the service asks for one.",
    ),
]
Collection = Annotated[
    str | None,
    typer.Option(
        "--collection",
        envvar="RAGDEPLOY_COLLECTION",
        show_envvar=True,
        help="Collection of the documents; the service's default one if absent.",
    ),
]


class Failure(Exception):
    """Ends the command; the message says what went wrong and what to do about it."""


def load_settings(**overrides: Any) -> ServiceSettings:
    """Read the service's settings; options that were given win over the environment."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return ServiceSettings(**given)
    except ValidationError as error:
        problems = [f"{_variable(e['loc'])}: {e['msg']}" for e in error.errors()]
        raise Failure("the settings are not valid. " + "; ".join(problems)) from error


def _variable(location: tuple[int | str, ...]) -> str:
    name = ".".join(str(part) for part in location)
    if not name:
        return "settings"
    return name if name.isupper() else f"{PREFIX}{name}".upper()
