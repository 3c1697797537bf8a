"""The table of traps names tests that are there; two traps are a matter of how things are built."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from ragdeploy_service import openapi
from ragdeploy_service.app import create_app
from ragdeploy_service.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
ROWS = [
    line
    for line in (ROOT / "docs" / "traps.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| trap |")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_each_trap_has_tests_that_are_there(row):
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
    assert named
    for file, name in named:
        defined = {
            node.name
            for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in defined, f"{file} has no {name}"


def test_every_layer_of_the_app_is_pure_asgi():
    layers = create_app(ServiceSettings()).user_middleware
    assert layers
    assert not [layer for layer in layers if issubclass(layer.cls, BaseHTTPMiddleware)]


def test_no_field_of_a_request_is_an_address_or_a_path():
    document = openapi.document()
    requests = [name for name in document["components"]["schemas"] if name.endswith("Request")]
    assert requests
    words = {"url", "uri", "path", "file", "dir", "folder", "host", "endpoint"}
    for name in requests:
        fields = document["components"]["schemas"][name]["properties"]
        assert not [field for field in fields if words & set(field.split("_"))], name
