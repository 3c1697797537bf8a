"""Finds the files that can be read, and reads each by its kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import charset_normalizer

from ragdeploy_service.documents.html import read_html
from ragdeploy_service.documents.page import Page
from ragdeploy_service.documents.plain import read_markdown, read_rst, read_text
from ragdeploy_service.rag.models import Document
from ragdeploy_service.rag.text import normalise

_READERS: dict[str, Callable[[str], Page]] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".rst": read_rst,
    ".html": read_html,
    ".htm": read_html,
}

SUFFIXES = tuple(_READERS)


class Unreadable(Exception):
    """A file gives no text; the message says why."""


def find_files(paths: Sequence[Path], *, exclude: Sequence[str] = ()) -> Iterator[Path]:
    """Walk folders for files of a known kind, in the order of their names.

    A file named outright is taken whatever its name; hidden files and folders
    are not walked into. ``exclude`` are shell patterns against the path below
    the folder that was given, or against any one name in it.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            below = Path(folder)
            folders[:] = sorted(
                name for name in folders if _wanted(below / name, root=path, exclude=exclude)
            )
            for name in sorted(names):
                file = below / name
                if file.suffix.lower() in _READERS and _wanted(file, root=path, exclude=exclude):
                    yield file


def read_file(path: Path) -> Document:
    """Read a file into a document.

    Its id is the path from the present folder, or the whole path outside it:
    the same on every run, and never that of another file. The metadata hold
    ``source``, the path; ``title``; and ``url`` if a page names its own.

    Raises:
        Unreadable: the file cannot be opened, decoded, or holds no text.
    """
    reader = _READERS.get(path.suffix.lower(), read_text)
    try:
        page = reader(_decode(path.read_bytes()))
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    text = normalise(page.text).strip()
    if not text:
        raise Unreadable("holds no text")
    source = _name(path)
    metadata = {"source": source, "title": page.title or path.stem}
    if page.url:
        metadata["url"] = page.url
    return Document(id=source, text=text, metadata=metadata)


def _wanted(path: Path, *, root: Path, exclude: Sequence[str]) -> bool:
    if path.name.startswith("."):
        return False
    below = path.relative_to(root).as_posix()
    return not any(fnmatch(below, p) or fnmatch(path.name, p.rstrip("/")) for p in exclude)


def _name(path: Path) -> str:
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    try:
        return absolute.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return absolute.as_posix()


def _decode(data: bytes) -> str:
    """Decode UTF-8, else guess as browsers do: old Chinese and Western pages are common."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if b"\x00" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("is not text")
    best = charset_normalizer.from_bytes(data).best()
    if best is None:
        raise Unreadable("is not text in any known encoding")
    return str(best)
