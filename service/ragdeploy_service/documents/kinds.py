"""The kinds of files that can be read, and the reader of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from ragdeploy_service.documents.encoding import decode
from ragdeploy_service.documents.html import read_html
from ragdeploy_service.documents.page import Page
from ragdeploy_service.documents.plain import read_markdown, read_rst, read_text

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def _of_text(read: Callable[[str], Page]) -> Callable[[bytes], Page]:
    return lambda data: read(decode(data))


# These bring a library that takes its time to load, and most folders hold neither.
def _read_pdf(data: bytes) -> Page:
    from ragdeploy_service.documents.pdf import read_pdf

    return read_pdf(data)


def _read_docx(data: bytes) -> Page:
    from ragdeploy_service.documents.docx import read_docx

    return read_docx(data)


_READERS: dict[str, Callable[[bytes], Page]] = {
    ".txt": _of_text(read_text),
    ".md": _of_text(read_markdown),
    ".markdown": _of_text(read_markdown),
    ".rst": _of_text(read_rst),
    ".html": _of_text(read_html),
    ".htm": _of_text(read_html),
    ".pdf": _read_pdf,
    ".docx": _read_docx,
}
_BY_MEDIA_TYPE = {
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/html": ".html",
    "application/pdf": ".pdf",
    _DOCX: ".docx",
}

KINDS = tuple(_READERS)
"""Endings of the names of files that can be read."""


def kind_of(name: str, *, media_type: str = "") -> str | None:
    """Tell a file's kind, one of `KINDS`, by its name, or else by its media type."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _READERS:
        return suffix
    return _BY_MEDIA_TYPE.get(media_type.partition(";")[0].strip().lower())


def read_page(data: bytes, kind: str) -> Page:
    """Read a file of one of `KINDS`.

    Raises:
        Unreadable: it cannot be decoded, or is damaged or protected.
    """
    return _READERS[kind](data)
