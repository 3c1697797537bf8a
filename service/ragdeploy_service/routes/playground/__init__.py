"""``/playground``: a page to ask, to see what an answer rests on, and to index.

Plain files without a build step. The page asks the API as any client does and keeps the key in
the tab's session storage; its policy lets nothing in that does not come from here.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, HTTPException, Response

router = APIRouter(include_in_schema=False)

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FILES = {
    file.name: file.read_bytes()
    for file in files(__package__).iterdir()
    if file.name.endswith(tuple(_TYPES))
}


@router.get("/playground")
async def page() -> Response:
    """The page."""
    return _file("index.html")


@router.get("/playground/{name}")
async def part(name: str) -> Response:
    """A file of the page."""
    if name not in _FILES:
        raise HTTPException(404)
    return _file(name)


def _file(name: str) -> Response:
    kind = _TYPES[name[name.rindex(".") :]]
    return Response(_FILES[name], headers=_HEADERS, media_type=kind)
