"""API keys for services of the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from tests.support.service import ServiceProcess


def write_keys(folder: Path, **keys: dict[str, Any]) -> Path:
    """Write a file for each key that says what it is good for; the key itself is its name."""
    folder.mkdir(exist_ok=True)
    for name, entry in keys.items():
        (folder / name).write_text(json.dumps({"key": name, **entry}))
    return folder


def with_key(service: ServiceProcess, key: str) -> httpx.Client:
    """A client of the service that shows this key."""
    return httpx.Client(
        base_url=service.url, timeout=30, trust_env=False, headers={"X-API-Key": key}
    )
