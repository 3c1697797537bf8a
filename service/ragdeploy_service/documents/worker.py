"""The process behind `documents.isolated`: takes files on standard input, writes their pages.

A file comes as a line of JSON with its kind and its size in bytes, and then
the bytes; its page goes as a line of JSON, with ``unreadable`` if it has none.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from ragdeploy_service.documents.kinds import read_page
from ragdeploy_service.documents.page import Unreadable


def main() -> None:
    """Read files until there are no more."""
    memory_bytes, text_bytes = (int(argument) for argument in sys.argv[1:3])
    _hold_back(memory_bytes)
    files, pages = sys.stdin.buffer, sys.stdout.buffer
    while header := files.readline():
        described = json.loads(header)
        page = _page(files.read(described["size"]), described["kind"], text_bytes)
        pages.write(json.dumps(page).encode() + b"\n")
        pages.flush()


def _page(data: bytes, kind: str, text_bytes: int) -> dict[str, Any]:
    try:
        page = read_page(data, kind)
    except Unreadable as error:
        return {"unreadable": str(error)}
    except MemoryError:
        return {"unreadable": "needs too much memory to be read; split it"}
    except Exception as error:  # a reader has not foreseen this file
        return {"unreadable": f"is damaged: its reader ended with {type(error).__name__}"}
    if len(page.text.encode(errors="replace")) > text_bytes:
        return {"unreadable": f"holds more than {text_bytes} bytes of text; split it"}
    return asdict(page)


def _hold_back(memory_bytes: int) -> None:
    """Leave the machine to questions: little memory, and time that nobody else wants."""
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(10)


if __name__ == "__main__":
    main()
