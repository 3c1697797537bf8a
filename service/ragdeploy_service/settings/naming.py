"""How settings and what they name are written."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices

PREFIX = "RAG_"

# Tenants and collections are named like Kubernetes objects, so that names pass through every
# system unchanged: 1 to 63 small letters, digits, hyphens and underscores.
NAME_PATTERN = r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$"

ADDRESS_PATTERN = r"^https?://"


def also(name: str, well_known: str) -> Any:
    """Read the setting from its own variable, or from one everybody knows."""
    return AliasChoices(f"{PREFIX}{name}".upper(), well_known)


def split_list(value: object) -> object:
    """Read a list that stands in one variable, with commas."""
    if isinstance(value, str):
        return tuple(one for part in value.split(",") if (one := part.strip()))
    return value
