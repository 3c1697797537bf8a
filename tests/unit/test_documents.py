"""What readers take from a file, and what they leave."""

from __future__ import annotations

import pytest

from ragdeploy_service.documents import Unreadable, find_files, read_file

PAGE = """<!doctype html><html><head><title>Window - Docs</title>
<link rel="canonical" href="https://example.org/page"><style>p {}</style></head><body>
<nav><a href="/">Home</a></nav>
<main><h1>Rebuild the   cluster<a class="headerlink" href="#x">¶</a></h1>
<p>It is rebuilt <em>every</em> <b>Mon</b>day.</p>
<pre>for x in y:
    print(x)
</pre>
<ul><li>One</li><li>Two <code>three</code></li></ul>
<table><tr><td>a</td><td>b</td></tr></table>
<script>alert(1)</script></main><footer>Copyright</footer></body></html>"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, name, text="some text"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_page_is_read_as_a_browser_lays_it_out(here):
    document = read_file(write(here, "page.html", PAGE))
    assert document.text == (
        "Rebuild the cluster\n\n"
        "It is rebuilt every Monday.\n\n"
        "for x in y:\n    print(x)\n\n"
        "- One\n- Two three\n\n"
        "a b"
    )


def test_a_page_is_named_by_its_heading_and_its_own_address(here):
    document = read_file(write(here, "page.html", PAGE))
    assert document.metadata == {
        "source": "page.html",
        "title": "Rebuild the cluster",
        "url": "https://example.org/page",
    }


def test_headings_stand_further_apart_than_paragraphs(here):
    page = "<body><p>one<h2>two</h2><p>three<h3>four</h3></body>"
    assert read_file(write(here, "a.html", page)).text == "one\n\n\n\ntwo\n\nthree\n\n\nfour"


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a.md", "intro\n\n# The Title #\n\ntext", "The Title"),
        ("a.md", "---\ntitle: 'From above'\n---\n# Below\n", "From above"),
        ("a.rst", "=====\nTitle\n=====\n\ntext", "Title"),
        ("notes.txt", "no title here", "notes"),
        ("a.html", "<title>Only the\n window</title><p>text", "Only the window"),
    ],
)
def test_a_title_is_found_where_its_kind_has_it(here, name, text, title):
    assert read_file(write(here, name, text)).metadata["title"] == title


def test_a_document_is_named_by_its_path_from_the_present_folder(here, tmp_path_factory):
    assert read_file(write(here, "docs/a.txt")).id == "docs/a.txt"
    outside = write(tmp_path_factory.mktemp("outside"), "a.txt")
    assert read_file(outside).id == str(outside)


def test_old_encodings_are_recognised(here):
    text = "北京是中华人民共和国的首都，它有三千多年的建城历史。" * 5
    assert read_file(write(here, "a.txt", text.encode("gb18030"))).text == text
    assert read_file(write(here, "b.txt", text.encode("utf-16"))).text == text
    assert read_file(write(here, "c.txt", text.encode("utf-8-sig"))).text == text


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.txt", b" \n ", "holds no text"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe", "is not text"),
        ("menu.html", b"<body><nav>Home</nav></body>", "holds no text"),
    ],
)
def test_a_file_without_text_is_refused_with_the_reason(here, name, data, reason):
    with pytest.raises(Unreadable, match=reason):
        read_file(write(here, name, data))


def test_a_missing_file_is_refused_with_the_reason(here):
    with pytest.raises(Unreadable, match="No such file"):
        read_file(here / "gone.txt")


def test_folders_are_walked_for_known_kinds_in_order(here):
    for name in ("b/two.md", "b/.git/x.md", "a.html", "z.py", ".hidden.txt", "c.TXT"):
        write(here, name)
    found = [path.relative_to(here).as_posix() for path in find_files([here])]
    assert found == ["a.html", "c.TXT", "b/two.md"]


@pytest.mark.parametrize("pattern", ["_sources", "_sources/", "_sources/*", "*/gen*", "gen*"])
def test_what_is_excluded_is_left_out(here, pattern):
    for name in ("keep.txt", "_sources/a.txt", "b/gen.html"):
        write(here, name)
    found = {path.relative_to(here).as_posix() for path in find_files([here], exclude=[pattern])}
    assert "keep.txt" in found
    assert len(found) == 2


def test_a_file_named_outright_is_taken_whatever_its_kind(here):
    assert list(find_files([write(here, "LICENSE")])) == [here / "LICENSE"]
