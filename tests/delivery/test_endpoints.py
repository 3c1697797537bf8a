"""The table of endpoints has every one, with the scope that its route asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| ([A-Z]+) \| `([^`]+)` \| (\w+) \|", re.MULTILINE)


def test_the_table_has_every_operation_and_the_scope_it_needs() -> None:
    document = json.loads((ROOT / "service" / "openapi.json").read_text())
    wanted = sorted(
        (method.upper(), path, scope(operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    rows = _ROW.findall((ROOT / "docs" / "reference" / "endpoints.md").read_text())
    assert sorted(rows) == wanted


def scope(operation: dict[str, Any]) -> str:
    scopes = {
        one for way in operation.get("security", ()) for scopes in way.values() for one in scopes
    }
    return scopes.pop() if scopes else "none"
