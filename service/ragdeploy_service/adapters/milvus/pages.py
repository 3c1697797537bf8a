"""Page tokens of lists of documents."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from ragdeploy_service.rag.errors import InvalidPage

_NO_PAGE = "This is not the page token of a list of documents; leave it out to begin anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a list of documents has come: the last row that was read, and its document."""

    row: str
    document: str | None

    def write(self) -> str:
        """Make a page token of it."""
        data = json.dumps([self.row, self.document]).encode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    @classmethod
    def read(cls, page: str) -> Place:
        """Understand a page token, which may be anything."""
        try:
            row, document = json.loads(base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)))
        except (ValueError, TypeError) as error:
            raise InvalidPage(_NO_PAGE) from error
        if not isinstance(row, str) or not isinstance(document, str):
            raise InvalidPage(_NO_PAGE)
        return cls(row=row, document=document)


START = Place(row="", document=None)
