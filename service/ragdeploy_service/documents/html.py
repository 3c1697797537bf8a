"""Reads the text of a web page: what a person came for, without menus and scripts."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragdeploy_service.documents.page import Page

_MAIN = ("main", "[role=main]", "article", "#content", "body")

_NOISE = (
    "script, style, noscript, template, svg, iframe, form, button, nav, aside, footer,"
    "[role=navigation], [role=search], [aria-hidden=true], [hidden], a.headerlink, a.skip-link"
)

# Empty lines before a block. The chunker cuts where most newlines stand together, so a
# passage does not cross a heading as long as it can help it.
_NEWLINES = {
    "h1": 5, "h2": 4, "h3": 3, "h4": 3, "h5": 3, "h6": 3,
    "section": 2, "article": 2, "div": 2, "p": 2, "pre": 2, "blockquote": 2, "figure": 2,
    "ul": 2, "ol": 2, "dl": 2, "table": 2, "hr": 2, "header": 2, "main": 2, "dt": 2,
    "li": 1, "dd": 1, "tr": 1, "br": 1, "figcaption": 1, "caption": 1, "details": 1, "summary": 1,
}  # fmt: skip

_SPACE = re.compile(r"[ \t\r\n\f]+")
_MANY_NEWLINES = re.compile(r"\n{6,}")


def read_html(source: str) -> Page:
    """Read the main part of a page. The title is that of its first heading, else of the window."""
    tree = LexborHTMLParser(source)
    title = _title(tree)
    canonical = tree.css_first("link[rel=canonical]")
    url = canonical.attributes.get("href") if canonical else None
    main = next((node for query in _MAIN if (node := tree.css_first(query))), None)
    if main is None:
        return Page(text="", title=title)
    for node in main.css(_NOISE):
        node.decompose()
    heading = main.css_first("h1")
    if heading is not None and (text := _SPACE.sub(" ", heading.text()).strip()):
        title = text
    return Page(
        text=_text(main),
        title=title,
        # A copy on disk may name itself by a file: address, which leads nowhere.
        url=url if url and url.startswith(("http://", "https://")) else None,
    )


def _title(tree: LexborHTMLParser) -> str | None:
    node = tree.css_first("title")
    return (_SPACE.sub(" ", node.text()).strip() or None) if node else None


def _text(root: LexborNode) -> str:
    writer = _Writer()
    writer.write(root)
    return writer.text()


class _Writer:
    """Puts the text of a tree together as a browser would lay it out."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._newlines = 0
        self._space = False

    def text(self) -> str:
        return _MANY_NEWLINES.sub("\n" * 5, "".join(self._parts)).strip()

    def write(self, node: LexborNode, *, verbatim: bool = False) -> None:
        child = node.child
        while child is not None:
            if child.is_text_node:
                self._add(child.text_content or "", verbatim=verbatim)
            elif child.is_element_node:
                self._element(child, verbatim=verbatim)
            child = child.next

    def _element(self, node: LexborNode, *, verbatim: bool) -> None:
        tag = node.tag or ""
        newlines = 0 if _is_whole_cell(node) else _NEWLINES.get(tag, 0)
        self._newlines = max(self._newlines, newlines)
        if tag == "li":
            self._add("- ", verbatim=True)
        elif tag in {"td", "th"}:
            self._add(" ", verbatim=False)
        self.write(node, verbatim=verbatim or tag == "pre")
        if tag == "pre" and self._parts:
            self._parts[-1] = self._parts[-1].rstrip("\n")
        # A heading stands apart from what precedes it more than from its own text.
        self._newlines = max(self._newlines, min(newlines, 2))

    def _add(self, text: str, *, verbatim: bool) -> None:
        if not verbatim:
            text = _SPACE.sub(" ", text)
            if not text.strip():
                self._space = self._space or bool(text)
                return
        if not text:
            return
        if self._newlines:
            if self._parts:
                self._parts.append("\n" * self._newlines)
            text = text.lstrip("\n" if verbatim else None)
        elif self._space and not text.startswith((" ", "\n")):
            self._parts.append(" ")
        self._newlines = 0
        self._space = False
        self._parts.append(text)


def _is_whole_cell(node: LexborNode) -> bool:
    """Whether this is the one paragraph of a table's cell, as word processors write them."""
    cell = node.parent
    if node.tag != "p" or cell is None or cell.tag not in {"td", "th"}:
        return False
    return sum(child.is_element_node for child in cell.iter(include_text=False)) == 1
