"""``kubectl rag status``: how the applications are, in a table or one of them in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

# Conditions whose True is no good news.
_UNWELCOME = frozenset({"Stalled", "Reconciling", "Suspended", "Paused"})
_COLOURS = {"good": "green", "busy": "yellow", "bad": "red", "off": "cyan"}


def state(resource: Json) -> tuple[str, str]:
    """One word for how a resource is, and what kind of news that is."""
    holds = {one["type"] for one in _conditions(resource) if one["status"] == "True"}
    for condition, word, news in (
        ("Paused", "Paused", "off"),
        ("Stalled", "Stalled", "bad"),
        ("Suspended", "Suspended", "off"),
        ("Reconciling", "Working", "busy"),
        ("Ready", "Ready", "good"),
    ):
        if condition in holds:
            return word, news
    return ("NotReady", "bad") if _conditions(resource) else ("New", "busy")


def overview(resources: list[Json], *, all_namespaces: bool) -> RenderableType:
    """A table of resources."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ("NAMESPACE",) * all_namespaces + ("NAME", "STATE", "PODS", "DOCUMENTS", "ENDPOINT")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for resource in resources:
        word, news = state(resource)
        status, metadata = resource.get("status", {}), resource["metadata"]
        where = (metadata["namespace"],) * all_namespaces
        table.add_row(
            *where,
            metadata["name"],
            Text(word, style=_COLOURS[news]),
            _pods(status),
            _number(status.get("documents")),
            status.get("endpoint", "-"),
        )
    return table


def detail(resource: Json) -> RenderableType:
    """One resource: its parts, and its conditions, the worst first."""
    word, news = state(resource)
    status, metadata = resource.get("status", {}), resource["metadata"]
    head = Text.assemble(
        (f"{metadata['namespace']}/{metadata['name']}", "bold"), "  ", (word, _COLOURS[news])
    )
    facts = Text(
        f"{status.get('endpoint', 'no endpoint yet')}   "
        f"documents: {_number(status.get('documents'))}"
    )
    parts = Table(box=None, pad_edge=False, show_header=False)
    for one in status.get("components", ()):
        full = one["ready"] >= one["desired"]
        parts.add_row(
            f"  {one['kind']} {one['name']}",
            Text(f"{one['ready']}/{one['desired']}", style="green" if full else "yellow"),
        )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for condition in sorted(_conditions(resource), key=lambda one: not _is_bad(one)):
        bad = _is_bad(condition)
        table.add_row(
            Text(f"  {'✗' if bad else '✓'} {condition['type']}", style="red" if bad else "green"),
            condition["reason"],
            condition["message"],
        )
    return Group(head, facts, "", parts, "", table)


def _is_bad(condition: Json) -> bool:
    holds = bool(condition["status"] == "True")
    if condition["type"] in _UNWELCOME:
        return holds and condition["type"] == "Stalled"
    return not holds


def _conditions(resource: Json) -> list[Json]:
    return list(resource.get("status", {}).get("conditions", ()))


def _pods(status: Json) -> str:
    parts = status.get("components", ())
    if not parts:
        return "-"
    return f"{sum(one['ready'] for one in parts)}/{sum(one['desired'] for one in parts)}"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def lines(renderable: RenderableType) -> Iterator[str]:
    """What a renderable is without a terminal: no colours, no wrapping."""
    console = Console(width=10_000, no_color=True, highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    yield from (line.rstrip() for line in capture.get().splitlines())
