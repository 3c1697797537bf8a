"""Files of the kinds that people hand in, as small as they can be."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence

import pypdf

_FONTS = b"""<< /Latin << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>
/Chinese << /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H
/DescendantFonts [<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light
/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> >>] >> >>"""


def pdf(*pages: str, title: str = "") -> bytes:
    """A PDF with a line of text for each line of a page; Chinese in a font that it only names."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", f"<< /Title ({title}) >>".encode()]
    kids = []
    for page in pages:
        content = zlib.compress(_drawn(page))
        kids.append(len(objects) + 1)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font %s >> >>" % (len(objects) + 2, _FONTS)
        )
        objects.append(
            b"<< /Length %d /Filter /FlateDecode >> stream\n%s\nendstream" % (len(content), content)
        )
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), listed)
    return _file(objects)


def _drawn(page: str) -> bytes:
    drawn = [b"BT 14 TL 72 770 Td"]
    for line in page.split("\n"):
        if line.isascii():
            escaped = re.sub(r"([()\\])", r"\\\1", line)
            drawn.append(b"/Latin 11 Tf (%s) Tj T*" % escaped.encode())
        else:
            drawn.append(b"/Chinese 11 Tf <%s> Tj T*" % line.encode("utf-16-be").hex().encode())
    return b"\n".join([*drawn, b"ET"])


def _file(objects: Sequence[bytes]) -> bytes:
    data, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R /Info 3 0 R >>\n"
        b"startxref\n%d\n%%%%EOF" % (len(objects) + 1, table, len(objects) + 1, len(data))
    )


def encrypted_pdf(*pages: str, password: str) -> bytes:
    """A PDF that is encrypted as of today; whoever reads it needs the password, if there is one."""
    writer = pypdf.PdfWriter(io.BytesIO(pdf(*pages)))
    writer.encrypt(password, owner_password="of the owner", algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml" ContentType=
"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
_RELATIONS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Target="word/document.xml" Type=
"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/>
</Relationships>"""
_STYLES = f"""<w:styles xmlns:w="{_WORD}"><w:style w:type="paragraph" w:styleId="1">
<w:name w:val="heading 1"/></w:style></w:styles>"""
_STYLE_RELATION = """<Relationships
xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="s1"
Target="styles.xml" Type=
"http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"/></Relationships>"""


def docx(
    *paragraphs: str, heading: str = "", table: Sequence[Sequence[str]] = (), body: str = ""
) -> bytes:
    """A Word document as a Chinese Word writes it (its styles have numbers for names)."""
    parts = [_paragraph(heading, '<w:pPr><w:pStyle w:val="1"/></w:pPr>')] if heading else []
    parts += map(_paragraph, paragraphs)
    if table:
        rows = "".join(
            "<w:tr>" + "".join(f"<w:tc>{_paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>"
            for row in table
        )
        parts.append(f"<w:tbl>{rows}</w:tbl>")
    document = f'<w:document xmlns:w="{_WORD}"><w:body>{"".join(parts)}{body}</w:body></w:document>'
    return zipped(
        {
            "[Content_Types].xml": _TYPES,
            "_rels/.rels": _RELATIONS,
            "word/document.xml": document,
            "word/styles.xml": _STYLES,
            "word/_rels/document.xml.rels": _STYLE_RELATION,
        }
    )


def _paragraph(text: str, properties: str = "") -> str:
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def zipped(parts: dict[str, str]) -> bytes:
    """A zip file of these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()
