"""Files by multipart: read, indexed and replaced, or refused with the reason."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.api import BANANAS, SCALING, TIDES, ask, fields, finished, index, problem
from tests.support.files import docx, encrypted_pdf, pdf
from tests.support.service import ServiceProcess


def upload(service, *files, **fields_):
    """Hand files in, each a name and its bytes, or a name, bytes and a media type."""
    return service.http.post(
        "/index/files", files=[("files", file) for file in files], data=fields_, timeout=60
    )


def uploaded(service, *files, **fields_):
    response = upload(service, *files, **fields_)
    assert response.status_code == 202, response.text
    assert response.json()["count"] == len(files)
    assert response.headers["location"] == f"/jobs/{response.json()['job_id']}"
    return finished(service.http, response.json()["job_id"])


def document(service, document_id, collection="documents"):
    response = service.http.get(f"/collections/{collection}/documents/{document_id}")
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture(scope="module")
def small(tmp_path_factory, model):
    """A service that takes little at a time."""
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "RAG_MAX_UPLOAD_BYTES": "200000",
        "RAG_MAX_BODY_BYTES": "5000",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("small")) as running:
        yield running


def test_files_of_every_kind_are_found(service):
    uploaded(
        service,
        ("scaling.txt", SCALING.encode()),
        ("fruit.md", f"# Fruit\n\n{BANANAS}".encode()),
        ("sea.html", f"<title>The sea</title><nav>Home</nav><p>{TIDES}</p>".encode()),
        ("会议.pdf", pdf("会议在每个星期五下午举行。", title="Meetings")),
        ("rebuild.docx", docx("Staging is rebuilt on Mondays.", heading="Rebuild")),
    )
    for question, name, title in [
        ("How do I scale the API?", "scaling.txt", "scaling"),
        ("What colour is a banana?", "fruit.md", "Fruit"),
        ("When is high tide?", "sea.html", "The sea"),
        ("会议在什么时候举行？", "会议.pdf", "Meetings"),
        ("When is staging rebuilt?", "rebuild.docx", "Rebuild"),
    ]:
        [source] = ask(service.http, question, top_k=1)["sources"]
        assert source["doc_id"] == name
        assert source["metadata"] == {"source": name, "title": title}
    assert document(service, "sea.html")["text"] == TIDES


def test_metadata_and_ids_are_those_that_were_given(service):
    uploaded(
        service,
        ("a.txt", TIDES.encode()),
        ("b.txt", BANANAS.encode()),
        metadatas=[json.dumps({"year": 2020}), json.dumps({"title": "Fruit", "tags": ["a"]})],
        ids=["sea/tides", "fruit"],
        collection="given",
    )
    assert document(service, "sea/tides", "given")["metadata"] == {
        "source": "a.txt", "title": "a", "year": 2020,
    }  # fmt: skip
    assert document(service, "fruit", "given")["metadata"] == {
        "source": "b.txt", "title": "Fruit", "tags": ["a"],
    }  # fmt: skip


def test_a_file_of_the_same_name_replaces_the_old_one(service):
    uploaded(service, ("note.txt", BANANAS.encode()))
    uploaded(service, ("note.txt", TIDES.encode()))
    assert document(service, "note.txt")["text"] == TIDES


def test_a_file_without_an_ending_is_told_by_its_media_type(service):
    uploaded(service, ("README", b"# Title\n\nText.", "text/markdown"))
    assert document(service, "README")["metadata"]["title"] == "Title"


def test_a_file_of_unknown_kind_is_named_with_the_kinds_that_are_taken(service):
    response = upload(service, ("a.txt", b"text"), ("tool.exe", b"MZ"), ("b.zip", b"PK"))
    details = problem(response, 415)
    assert fields(details) == ["files[1]", "files[2]"]
    assert "tool.exe is of no known kind; .txt .md" in details["detail"]
    assert ".pdf .docx are taken" in details["errors"][1]["message"]


def test_a_file_that_cannot_be_read_is_named_with_the_reason_and_none_is_indexed(service):
    response = upload(
        service,
        ("fine.txt", b"text"),
        ("broken.pdf", b"%PDF-1.7 and nothing more"),
        ("locked.pdf", encrypted_pdf("Secret.", password="of the reader")),
        ("empty.md", b"  \n"),
        ("broken.docx", b"no zip"),
    )
    errors = {error["field"]: error["message"] for error in problem(response, 422)["errors"]}
    assert errors == {
        "files[1]": "broken.pdf is damaged, or no PDF.",
        "files[2]": "locked.pdf is protected by a password; save it without one.",
        "files[3]": "empty.md holds no text.",
        "files[4]": "broken.docx is damaged, or no Word document.",
    }
    problem(service.http.get("/collections/documents/documents/fine.txt"), 404)


@pytest.mark.parametrize(
    ("files", "data", "field"),
    [
        ([], {"collection": "a"}, "files"),
        ([("a.txt", b"a"), ("a.txt", b"b")], {}, "ids"),
        ([("a.txt", b"a")], {"ids": ["a", "b"]}, "ids"),
        ([("a.txt", b"a")], {"ids": [""]}, "ids[0]"),
        ([("a.txt", b"a")], {"metadatas": ["{}", "{}"]}, "metadatas"),
        ([("a.txt", b"a")], {"metadatas": ["[]"]}, "metadatas[0]"),
        ([("a.txt", b"a")], {"metadatas": ["{"]}, "metadatas[0]"),
        ([("a.txt", b"a")], {"metadatas": ['{"a": NaN}']}, "metadatas[0]"),
        ([("a.txt", b"a")], {"metadatas": ['{"a":' * 300 + "1" + "}" * 300]}, "metadatas[0]"),
        ([("a.txt", b"a")], {"collection": "No!"}, "collection"),
        ([("é" * 300 + ".txt", b"a")], {}, "files[0]"),
        ([(f"{number}.txt", b"a") for number in range(101)], {}, "files"),
    ],
)
def test_a_wrong_form_names_the_field(service, files, data, field):
    # A dummy part makes it a multipart form, although there is no file in it.
    response = service.http.post(
        "/index/files", files=[("files", file) for file in files] or [("other", b"")], data=data
    )
    assert fields(problem(response, 422)) == [field]


def test_more_files_than_a_form_may_have_are_refused(service):
    response = upload(service, *((f"{number}.txt", b"a") for number in range(1001)))
    assert "Too many files" in problem(response, 422)["errors"][0]["message"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_what_is_no_form_is_refused_with_what_to_send(service, kind):
    headers = {"Content-Type": kind}
    response = service.http.post("/index/files", content=b"{}", headers=headers)
    assert "multipart/form-data" in problem(response, 415)["detail"]


@pytest.mark.parametrize("content", [b"", b"--other\r\n\r\n", b"\x00" * 100])
def test_a_broken_form_is_refused(service, content):
    headers = {"Content-Type": "multipart/form-data; boundary=here"}
    problem(service.http.post("/index/files", content=content, headers=headers), 422)
    headers = {"Content-Type": "multipart/form-data"}
    problem(service.http.post("/index/files", content=content, headers=headers), 422)


# ---- limits ----
def test_an_upload_may_be_larger_than_other_bodies(small):
    uploaded(small, ("a.html", b"<!--" + b"x" * 100_000 + b"--><p>Short."))


@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_that_is_too_large_is_refused_with_the_limit(small, announced):
    request = small.http.build_request(
        "POST", "/index/files", files=[("files", ("a.txt", b"x" * 300_000))]
    )
    body, kind = request.read(), {"Content-Type": request.headers["content-type"]}
    pieces = body if announced else iter([body[:1000], body[1000:]])
    response = small.http.post("/index/files", content=pieces, headers=kind)
    assert "200000 bytes" in problem(response, 413)["detail"]


def test_a_file_with_too_much_text_is_named(small):
    details = problem(upload(small, ("long.txt", b"word " * 2_000)), 422)
    assert details["errors"] == [
        {"field": "files[0]", "message": "long.txt holds more than 5000 bytes of text; split it."}
    ]


def test_files_with_too_much_text_together_are_refused_with_the_limit(small):
    files = [(f"{number}.txt", b"word " * 500) for number in range(3)]
    assert "more than the 5000" in problem(upload(small, *files), 413)["detail"]


def test_a_file_that_takes_too_long_is_given_up(run_service):
    service = run_service(RAG_UPLOAD_READ_SECONDS="0.001")
    details = problem(upload(service, ("a.txt", b"text"), ("b.txt", b"text")), 422)
    assert "a.txt could not be read in" in details["detail"]
    assert "b.txt was not reached" in details["detail"]


def test_questions_are_answered_while_a_file_eats_its_reader(run_service):
    """A parser in the service's own process, even in a thread, would hold everybody up."""
    service = run_service(RAG_UPLOAD_READ_SECONDS="3")
    index(service.http, TIDES)
    endless = docx(body="<w:p/>" * 4_000_000)
    answered = 0
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(upload, service, ("endless.docx", endless))
        while not reading.done():
            assert ask(service.http, "When is high tide?", use_cache=False)["sources"]
            answered += 1
        assert "endless.docx could not be read in 3 s" in problem(reading.result(), 422)["detail"]
    assert answered > 5
