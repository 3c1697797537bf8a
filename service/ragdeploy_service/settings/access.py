"""Who may ask, and how much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from ragdeploy_service.settings.naming import split_list

# Limits by the minute are counted in seconds since 1970, which are exact to a microsecond.
MOST_PER_MINUTE = 10_000_000


class AccessSettings(BaseModel):
    """Who may ask, and how much."""

    auth_enabled: bool = Field(True, description="Ask for an API key.")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Accepted API keys, separated by commas."
    )
    api_keys_dir: Path | None = Field(
        None, description="Folder whose files each hold one accepted API key."
    )
    rate_limit_requests_per_minute: int = Field(
        10,
        ge=0,
        le=MOST_PER_MINUTE,
        description="Requests a minute for a key that does not say otherwise; 0 is no limit.",
    )
    rate_limit_tokens_per_minute: int = Field(
        0,
        ge=0,
        le=MOST_PER_MINUTE,
        description="Tokens of the language model a minute for a key that does not say otherwise; "
        "0 is no limit.",
    )
    refuse_markup: bool = Field(
        True, description="Refuse questions with one of the characters < > { and }."
    )

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return split_list(value)
