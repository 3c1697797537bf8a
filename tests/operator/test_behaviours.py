"""Every line of the operator's list of behaviours has a test that carries its number."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
LAST = 47

OWED: dict[int, str] = {}
"""Behaviours that no test proves yet, and why. It may only become shorter."""


def marks(file: Path) -> Iterator[int]:
    """Numbers in ``@pytest.mark.behaviour(n)``."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.behaviour":
            yield from (ast.literal_eval(argument) for argument in node.args)


def test_every_behaviour_is_proven_or_known_to_be_owed() -> None:
    proven = {number for file in TESTS.rglob("test_*.py") for number in marks(file)}
    assert proven <= set(range(1, LAST + 1))
    assert set(range(1, LAST + 1)) - proven <= OWED.keys()
