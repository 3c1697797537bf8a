"""Finds the files that can be read, and makes documents of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ragdeploy_service.documents.kinds import KINDS, kind_of, read_page
from ragdeploy_service.documents.page import Page, Unreadable
from ragdeploy_service.rag.models import Document
from ragdeploy_service.rag.text import normalise


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
                if file.suffix.lower() in KINDS and _wanted(file, root=path, exclude=exclude):
                    yield file


def read_file(path: Path, *, read: Callable[[bytes, str], Page] = read_page) -> Document:
    """Read a file into a document; one of no known kind is read as text.

    Its id is the path from the present folder, or the whole path outside it:
    the same on every run, and never that of another file.

    Args:
        path: The file.
        read: Reads its bytes, which are of this kind; may do so elsewhere.

    Raises:
        Unreadable: the file cannot be opened, decoded, or holds no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    source = _name(path)
    return document_of(read(data, kind_of(path.name) or ".txt"), document_id=source, source=source)


def document_of(page: Page, *, document_id: str, source: str) -> Document:
    """Make a document of what a file holds.

    The metadata hold ``source``, the file's name or path; ``title``; and
    ``url`` if the page names its own.

    Raises:
        Unreadable: it holds no text.
    """
    text = normalise(page.text).strip()
    if not text:
        raise Unreadable("holds no text")
    metadata = {"source": source, "title": page.title or Path(source).stem}
    if page.url:
        metadata["url"] = page.url
    return Document(id=document_id, text=text, metadata=metadata)


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
