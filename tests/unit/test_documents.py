"""What readers take from a file, and what they leave."""

from __future__ import annotations

import pytest

from ragdeploy_service.documents import Unreadable, find_files, kind_of, read_file
from tests.support.files import docx, encrypted_pdf, pdf, zipped

PAGE = """<!doctype html><html><head><title>Window - Docs</title>
<link rel="canonical" href="https://example.org/page"><style>p {}</style></head><body>
<nav><a href="/">Home</a></nav>
<main><h1>Rebuild the   cluster<a class="headerlink" href="#x">¶</a></h1>
<p>It is rebuilt <em>every</em> <b>Mon</b>day.</p>
<pre>for x in y:
    print(x)
</pre>
<ul><li>One</li><li>Two <code>three</code></li></ul>
<table><tr><td>a</td><td><p>b</p></td></tr><tr><td><p>c<p>d</td></tr></table>
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
        "a b\n\nc\n\nd"
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


LONG = "A line that is as long as the page is wide ends where the next one"


def test_the_lines_of_a_paragraph_in_a_pdf_are_joined_again(here):
    data = pdf(
        f"Heading\n{LONG}\ngoes on, and this one (it is short)\nstands apart.", title="Manual"
    )
    document = read_file(write(here, "a.pdf", data))
    assert document.text == f"Heading\n{LONG} goes on, and this one (it is short)\nstands apart."
    assert document.metadata == {"source": "a.pdf", "title": "Manual"}


def test_the_points_of_a_list_in_a_pdf_stay_apart(here):
    text = read_file(write(here, "a.pdf", pdf(f"1. {LONG}\n2. {LONG}\n- {LONG}"))).text
    assert text.splitlines() == [f"1. {LONG}", f"2. {LONG}", f"- {LONG}"]


def test_chinese_in_a_pdf_is_read_and_joined_without_blanks(here):
    data = pdf("香蕉生长在热带地区，成熟的香\n蕉是黄色的。\n\n完", "第二页")
    document = read_file(write(here, "香蕉.pdf", data))
    assert document.text == "香蕉生长在热带地区，成熟的香蕉是黄色的。\n完\n\n第二页"
    assert document.metadata["title"] == "香蕉"


def test_a_pdf_that_is_only_protected_against_changes_is_read(here):
    data = encrypted_pdf("It is rebuilt on Mondays.", password="")
    assert read_file(write(here, "a.pdf", data)).text == "It is rebuilt on Mondays."


def test_a_word_that_is_cut_at_the_end_of_a_line_is_made_whole(here):
    data = pdf(f"{LONG} of the re-\ngion stands, and here the para\xadgraph ends.")
    assert "the region stands, and here the paragraph" in read_file(write(here, "a.pdf", data)).text


def test_a_word_document_is_read_with_its_heading_and_tables(here):
    data = docx("It is rebuilt on Mondays.", heading="重建", table=[["Day", "Hour"], ["Mon", "6"]])
    document = read_file(write(here, "a.docx", data))
    assert document.text == "重建\n\nIt is rebuilt on Mondays.\n\nDay Hour\nMon 6"
    assert document.metadata["title"] == "重建"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"%PDF-1.7\nand nothing more", "is damaged, or no PDF"),
        ("a.pdf", b"", "is damaged, or no PDF"),
        ("a.pdf", pdf("Some text.")[:-400], "holds no text|is damaged"),
        ("a.pdf", encrypted_pdf("Secret.", password="of the reader"), "is protected by a password"),
        ("a.pdf", pdf(""), "only pictures of pages; run it through OCR"),
        ("a.docx", b"plain text", "is damaged, or no Word document"),
        ("a.docx", docx("text")[:-30], "is damaged, or no Word document"),
        ("a.docx", zipped({"other.xml": "<x/>"}), "is damaged, or no Word document"),
        (
            "a.docx",
            bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 512,
            "password, or in the old format",
        ),
        ("a.docx", docx(body="<w:p>" * 9000 + "</w:p>" * 9000), "is damaged"),
        ("a.docx", docx(body="<w:p/>" * 12_000_000), "unpacks to more than 64 MB"),
        ("a.docx", docx(), "holds no text"),
    ],
)
def test_a_broken_or_hostile_file_is_refused_with_the_reason(here, name, data, reason):
    with pytest.raises(Unreadable, match=reason):
        read_file(write(here, name, data))


@pytest.mark.parametrize(
    ("name", "media_type", "kind"),
    [
        ("A.PDF", "application/octet-stream", ".pdf"),
        ("a.pdf", "text/plain", ".pdf"),
        ("notes", "text/plain; charset=utf-8", ".txt"),
        ("notes", "Text/Markdown", ".md"),
        ("a.exe", "", None),
        ("pdf", "", None),
    ],
)
def test_the_kind_of_a_file_is_told_by_its_name_or_else_by_its_media_type(name, media_type, kind):
    assert kind_of(name, media_type=media_type) == kind


@pytest.mark.parametrize("pattern", ["_sources", "_sources/", "_sources/*", "*/gen*", "gen*"])
def test_what_is_excluded_is_left_out(here, pattern):
    for name in ("keep.txt", "_sources/a.txt", "b/gen.html"):
        write(here, name)
    found = {path.relative_to(here).as_posix() for path in find_files([here], exclude=[pattern])}
    assert "keep.txt" in found
    assert len(found) == 2


def test_a_file_named_outright_is_taken_whatever_its_kind(here):
    assert list(find_files([write(here, "LICENSE")])) == [here / "LICENSE"]
