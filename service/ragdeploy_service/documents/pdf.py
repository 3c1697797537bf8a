"""Reads the text of a PDF with pypdf.

PDFium reads 20 times as fast, but drops single characters of the Chinese
fonts that a PDF names and does not hold, and is C++ before strangers' files.
"""

from __future__ import annotations

import io
import re

from pypdf import PasswordType, PdfReader

from ragdeploy_service.documents.page import Page, Unreadable

_MOST_PAGES = 10_000

# A word that is cut at the end of a line: with a hyphen that is nothing else, or with one that
# small letters follow.
_CUT = re.compile("\xad\n?|(?<=[a-z])-\n(?=[a-z])")
_NO_BLANK_BETWEEN = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]{2}")
_NEXT_POINT = re.compile(r"[-•*·▪●]\s|\(?\d{1,3}[.)、]\s")
# A line of at least this share of the longest on its page goes on in the next one.
_FULL = 0.75


def read_pdf(data: bytes) -> Page:
    """Read all pages; an empty line stands between two.

    Raises:
        Unreadable: it is damaged or protected, or has more than 10,000 pages.
    """
    try:
        pages, title = _read(data)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # whatever a part that is not as it should be leads to
        raise Unreadable("is damaged, or no PDF") from error
    text = "\n\n".join(filter(None, map(unwrap, pages)))
    if pages and not text:
        raise Unreadable("holds no text, only pictures of pages; run it through OCR first")
    return Page(text=text, title=title)


def _read(data: bytes) -> tuple[list[str], str | None]:
    """Texts of the pages, and the title that the file gives itself."""
    reader = PdfReader(io.BytesIO(data))
    # Many are encrypted without a password, only so that nobody changes them.
    if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
        raise Unreadable("is protected by a password; save it without one")
    if len(reader.pages) > _MOST_PAGES:
        raise Unreadable(f"has {len(reader.pages)} pages; {_MOST_PAGES} are read at most")
    title = (reader.metadata.title if reader.metadata else None) or ""
    # Word's "Print to PDF" puts itself before the name.
    title = title.removeprefix("Microsoft Word - ").strip()
    return [page.extract_text() for page in reader.pages], title or None


def unwrap(text: str) -> str:
    """Join the lines of a paragraph again; PDF knows only lines.

    Chinese is joined without a blank. A line that is clearly shorter than the
    longest ends a paragraph, as does that of a heading, a list or a table.
    """
    lines = _CUT.sub("", text).split("\n")
    full = _FULL * max(map(len, lines))
    joined: list[str] = []
    goes_on = False
    for line in (line.strip() for line in lines):
        if goes_on and line and not _NEXT_POINT.match(line):
            between = "" if _NO_BLANK_BETWEEN.match(joined[-1][-1] + line[0]) else " "
            joined[-1] += between + line
        else:
            joined.append(line)
        goes_on = bool(line) and len(line) >= full
    return "\n".join(joined).strip()
