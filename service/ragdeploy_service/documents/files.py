"""Finds the files that can be read, and makes documents of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ragdeploy_service.documents.kinds import KINDS, kind_of, read_page
from ragdeploy_service.documents.page import Page, Unreadable
from ragdeploy_service.rag.models import Document
from ragdeploy_service.rag.text import normalise

# Raise it when a reader gives another text for the same file.
_READERS = 1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A file's bytes; ``name`` is its path from the present folder, or the whole one outside it.

    The name is the same on every run, and never that of another file.
    """

    name: str
    kind: str
    data: bytes

    @property
    def digest(self) -> str:
        """Names what comes of reading the file: 32 hex digits."""
        tag = f"{_READERS}{self.kind}".encode()
        return hashlib.blake2b(self.data, digest_size=16, person=tag).hexdigest()


def open_file(path: Path) -> OpenedFile:
    """Fetch a file to be read; one of no known kind is taken for text.

    Raises:
        Unreadable: it cannot be opened.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    return OpenedFile(name=_name(path), kind=kind_of(path.name) or ".txt", data=data)


def read_file(path: Path) -> Document:
    """Read a file into a document, in this process.

    Raises:
        Unreadable: the file cannot be opened, decoded, or holds no text.
    """
    file = open_file(path)
    page = read_page(file.data, file.kind)
    return document_of(page, document_id=file.name, source=file.name)


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
