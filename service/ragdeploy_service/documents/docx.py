"""Reads Word documents by way of HTML: headings, lists and tables are laid out as on a page.

mammoth (and behind it Python's expat, which stops entity bombs) brings 0.3 MB;
python-docx knows paragraphs and tables only, and brings lxml.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import mammoth

from ragdeploy_service.documents.html import read_html
from ragdeploy_service.documents.page import Page, Unreadable

# Unpacked; XML takes twenty times as much in memory.
_MOST_BYTES = 64 * 2**20


def read_docx(data: bytes) -> Page:
    """Read the body with its tables and notes; the title is that of the first heading.

    Raises:
        Unreadable: it is damaged, no Word document, or too large when unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive)
        # Pictures would go into the page as base64.
        html = mammoth.convert_to_html(io.BytesIO(data), convert_image=_no_image).value
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # whatever a part that is not as it should be leads to
        raise Unreadable(_REASONS.get(data[:8], "is damaged, or no Word document")) from error
    return read_html(f"<body>{html}</body>")


# A Word document with a password, and one of before 2007, is not a zip file but of this older kind.
_REASONS = {
    bytes.fromhex("d0cf11e0a1b11ae1"): "is protected by a password, or in the old format .doc; "
    "save it as .docx without a password"
}


def _check(archive: zipfile.ZipFile) -> None:
    size = sum(part.file_size for part in archive.infolist() if part.filename.endswith("ml"))
    if size > _MOST_BYTES:
        raise Unreadable(f"unpacks to more than {_MOST_BYTES >> 20} MB of text and marks")


def _no_image(image: Any) -> list[Any]:
    return []
