"""The page about conditions names every reason that the operator gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ragdeploy_operator
from ragdeploy_operator import status
from ragdeploy_operator.errors import Invalid, NotOwned, Transient
from ragdeploy_operator.status import trouble

PACKAGE = Path(ragdeploy_operator.__file__).parent
PAGE = Path(__file__).parents[3] / "docs" / "conditions.md"
FINDINGS = {"bad", "good", "unknown"}


def reasons() -> Iterator[str]:
    """Reasons as they stand in the code: of findings, of troubles, of errors."""
    for file in (*PACKAGE.glob("status/*.py"), *PACKAGE.glob("engine/*.py"), *PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in FINDINGS and len(node.args) > 1:
                yield from _words(node.args[1])
            for keyword in node.keywords:
                if keyword.arg == "reason":
                    yield from _words(keyword.value)
    yield Transient("").reason
    yield Invalid("").reason
    yield NotOwned("").reason
    yield from (trouble.NOT_READY, trouble.PODS_REFUSED, trouble.WAITING_FOR_STORE)


def _words(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and re.fullmatch(r"[A-Z][A-Za-z]+", str(part.value)):
            yield str(part.value)


def test_every_reason_is_on_the_page() -> None:
    found = set(reasons()) - {"Warning", "Normal", "Repaired"}
    found -= {"NoCluster"}  # told by `ragdeploy plan` alone
    assert len(found) > 30
    named = set(re.findall(r"`([A-Z]\w+)`", PAGE.read_text()))
    assert found - named == set()


def test_every_condition_is_on_the_page() -> None:
    named = set(re.findall(r"`([A-Z]\w+)`", PAGE.read_text()))
    assert status._OURS - named == set()
