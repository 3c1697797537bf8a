"""The reference page of the resource."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ragdeploy_operator.api import Spec, Status
from ragdeploy_operator.api.reference import FILE, render
from ragdeploy_operator.api.structural import Schema, structural_schema

ROOT = Path(__file__).parents[3]


def names(schema: Schema) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        yield name
        yield from names(field)
        yield from names(field.get("items", {}))


def test_the_page_is_what_the_models_say() -> None:
    assert (ROOT / FILE).read_text() == render(), "run `make generate`"


def test_every_field_stands_on_the_page() -> None:
    page = render()
    missing = [
        name
        for model in (Spec, Status)
        for name in names(structural_schema(model))
        if f"`{name}`" not in page and not re.search(rf"`\{{[^`]*\b{name}\b[^`]*\}}`", page)
    ]
    assert missing == []


def test_every_link_on_the_page_has_its_heading() -> None:
    page = render()
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in headings}
    links = re.findall(r"\]\(#([^)]*)\)", page)
    assert len(links) > 15
    assert set(links) <= anchors
