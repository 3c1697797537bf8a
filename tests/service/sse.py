"""Server-sent events as a client reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event; a comment has no name and its text as data."""

    name: str
    data: Any


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Read events, and comments, from the lines of a response."""
    name, data = "", []
    for line in lines:
        if line.startswith(":"):
            yield Event("", line[1:].strip())
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data.append(line.removeprefix("data: "))
        elif not line and data:
            yield Event(name, json.loads("\n".join(data)))
            name, data = "", []


def text(found: Iterable[Event]) -> str:
    """The text of all messages."""
    return "".join(event.data["text"] for event in found if event.name == "message")
