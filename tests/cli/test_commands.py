"""What a person sees who types ``ragdeploy`` in a terminal."""

from __future__ import annotations

import json
import math
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from tests.cli.conftest import RAGDEPLOY
from tests.service.api import counter
from tests.support.files import docx, pdf
from tests.support.keys import write_keys
from tests.support.waiting import eventually

NOWHERE = "http://127.0.0.1:9"


def one_sentence(text: str) -> bool:
    return "Traceback" not in text and text.startswith("ragdeploy: ")


def start_ragdeploy(*arguments, cwd):
    """Run the command and do not wait for it."""
    return subprocess.Popen([RAGDEPLOY, *map(str, arguments)], cwd=cwd, stderr=subprocess.PIPE)


def passages(service):
    found = service.http.get("/collections/documents")
    return found.json()["chunks"] if found.status_code == 200 else 0


def test_index_then_ask(ragdeploy, run_service, docs):
    service = run_service().url
    indexed = ragdeploy("index", "docs", RAGDEPLOY_URL=service)
    assert re.match(r"3 documents indexed in .* 3 new passages", indexed.stdout), indexed
    asked = ragdeploy("ask", "When is staging rebuilt?", "--url", service)
    assert "every Monday at 06:00" in asked.stdout
    assert re.search(r"^\[1\] Rebuild - docs/rebuild\.md \(0\.\d\d\)$", asked.stdout, re.MULTILINE)


def test_indexing_again_adds_nothing_and_a_change_replaces(ragdeploy, service, docs):
    ragdeploy("index", "docs", "--url", service)
    again = ragdeploy("index", "docs", "--url", service)
    assert again.returncode == 0
    assert "The collection holds 3 passages" in again.stdout
    (docs / "lunch.txt").write_text("Lunch is served in the garden from one to three.\n")
    ragdeploy("index", "docs", "--url", service)
    answer = ragdeploy("ask", "Where is lunch?", "--url", service, "--json", "--top-k", 3)
    texts = [source["text"] for source in json.loads(answer.stdout)["sources"]]
    assert sum("garden" in text for text in texts) == 1
    assert not any("canteen" in text for text in texts)


def test_what_has_not_changed_is_not_handed_in_again(ragdeploy, run_service, docs):
    service = run_service()
    ragdeploy("index", "docs", "--url", service.url)
    before = counter(service.http, "rag_jobs_total", state="queued")
    again = ragdeploy("index", "docs", "--url", service.url)
    assert again.returncode == 0
    assert again.stdout.startswith("0 documents indexed in ")
    assert "3 unchanged. The collection holds 3 passages" in again.stdout
    assert counter(service.http, "rag_jobs_total", state="queued") == before
    (docs / "lunch.txt").write_text("Lunch is served in the garden.\n")
    changed = ragdeploy("index", "docs", "--url", service.url)
    assert re.match(r"1 documents indexed in .*, 2 unchanged\.", changed.stdout)


def test_a_load_that_was_stopped_goes_on_where_it_was(ragdeploy, run_service, docs):
    service = run_service()
    for number in range(100):
        (docs / f"{number}.txt").write_text(f"Note {number}: the meeting was moved again.\n")
    first = start_ragdeploy("index", "docs", "--url", service.url, cwd=docs.parent)
    eventually(lambda: passages(service) >= 30, what="the first documents are indexed")
    first.kill()
    first.wait()
    service.stop()  # what was handed in is finished first
    service.start()
    again = ragdeploy("index", "docs", "--url", service.url)
    assert again.returncode == 0
    indexed, unchanged = map(int, re.match(r"(\d+) doc.*?(\d+) unchanged", again.stdout).groups())
    assert indexed + unchanged == 103
    assert unchanged >= 30
    assert passages(service) == 103


def test_files_of_all_kinds_are_indexed_in_the_collection_that_is_named(ragdeploy, service, docs):
    (docs / "tide.pdf").write_bytes(pdf("High tide is at noon."))
    (docs / "会议.docx").write_bytes(docx("会议在星期五下午举行。"))
    ragdeploy("index", "docs", "--collection", "kinds", "--url", service)
    for question, found in [
        ("When is high tide?", "docs/tide.pdf"),
        ("会议在什么时候？", "docs/会议.docx"),
    ]:
        asked = ragdeploy("ask", question, "--collection", "kinds", "--top-k", 1, "--url", service)
        assert f"- {found} (" in asked.stdout
    nowhere = ragdeploy("ask", "When is high tide?", "--collection", "nowhere", "--url", service)
    assert nowhere.returncode == 1
    assert "There is no collection 'nowhere'" in nowhere.stderr


def test_a_key_that_may_only_write_is_enough_to_index(ragdeploy, run_service, docs, tmp_path):
    keys = write_keys(tmp_path / "keys", writer={"scopes": ["index"]})
    service = run_service(RAG_API_KEYS_DIR=str(keys))
    indexed = ragdeploy(
        "index", "docs", "--collection", "c", "--url", service.url, "--api-key", "writer"
    )
    assert indexed.returncode == 0, indexed.stderr
    assert "3 documents indexed" in indexed.stdout


def test_what_cannot_be_indexed_is_named_and_the_rest_goes_in(ragdeploy, service, docs):
    (docs / "empty.md").write_text("\n")
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7")
    indexed = ragdeploy("index", "docs", "--anew", "--url", service)
    assert indexed.returncode == 1
    assert "3 documents indexed" in indexed.stdout
    assert indexed.stderr.startswith("2 could not be indexed:\n")
    assert "  docs/empty.md: holds no text\n" in indexed.stderr
    assert "  docs/broken.pdf: is damaged, or no PDF\n" in indexed.stderr


def test_a_document_that_the_service_refuses_does_not_stop_the_others(ragdeploy, run_service, docs):
    service = run_service(RAG_MAX_BODY_BYTES="20000").url
    (docs / "huge.txt").write_text("A long story. " * 4000)
    indexed = ragdeploy("index", "docs", "--url", service)
    assert indexed.returncode == 1
    assert "3 documents indexed" in indexed.stdout
    assert re.search(r"^  docs/huge\.txt: the service answers 413", indexed.stderr, re.MULTILINE)


def test_what_is_excluded_is_not_indexed(ragdeploy, service, docs):
    indexed = ragdeploy("index", "docs", "--exclude", "*.txt", "--anew", "--url", service)
    assert "2 documents indexed" in indexed.stdout


def test_a_folder_without_documents_is_told(ragdeploy, tmp_path):
    (tmp_path / "code").mkdir()
    indexed = ragdeploy("index", "code", "--url", NOWHERE)
    assert indexed.returncode == 1
    assert "no file of a known kind (.txt, .md" in indexed.stderr


@pytest.mark.parametrize("command", [("ask", "Who is there?"), ("index", "docs")])
def test_without_a_service_the_remedy_is_told(ragdeploy, docs, command):
    run = ragdeploy(*command, "--url", NOWHERE)
    assert run.returncode == 1
    assert one_sentence(run.stderr)
    assert "ragdeploy serve" in run.stderr


def test_a_missing_key_is_told_with_the_remedy(ragdeploy, run_service):
    service = run_service(RAG_API_KEYS="a-key-of-sixteen-or-more").url
    refused = ragdeploy("ask", "Who is there?", "--url", service)
    assert refused.returncode == 1
    assert "--api-key or RAGDEPLOY_API_KEY" in refused.stderr
    taken = ragdeploy(
        "ask", "Who is there?", "--url", service, RAGDEPLOY_API_KEY="a-key-of-sixteen-or-more"
    )
    assert taken.returncode == 0


def test_a_key_that_is_not_good_for_it_says_for_what_it_is_not(ragdeploy, impostor):
    detail = "This needs a key with the scope `query`."
    refused = ragdeploy("ask", "Who?", "--url", impostor((403, {}, json.dumps({"detail": detail}))))
    assert refused.returncode == 1
    assert detail in refused.stderr
    assert "--api-key or RAGDEPLOY_API_KEY" in refused.stderr


def test_nobody_waits_for_the_budget_of_next_month(ragdeploy, impostor):
    spent = json.dumps({"detail": "The budget of this key is spent."})
    asked = ragdeploy("ask", "Who?", "--url", impostor((429, {"Retry-After": "86400"}, spent)))
    assert asked.returncode == 1
    assert one_sentence(asked.stderr)
    assert "budget of this key is spent" in asked.stderr


def test_a_question_that_is_refused_names_the_field(ragdeploy, service):
    asked = ragdeploy("ask", "?", "--url", service)
    assert asked.returncode == 1
    assert one_sentence(asked.stderr)
    assert "question" in asked.stderr


@pytest.fixture
def impostor() -> Iterator[Callable[..., str]]:
    """Starts a web server that gives these responses in turn; gives its address."""
    servers = []

    def start(*responses: tuple[int, dict[str, str], str]) -> str:
        queue = list(responses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, body = queue.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST  # noqa: N815

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()


def test_a_busy_service_is_asked_again_when_it_says(ragdeploy, impostor):
    answer = json.dumps({"answer": "At noon.", "sources": []})
    url = impostor(
        (503, {"Retry-After": "0"}, ""),
        (429, {"Retry-After": "1"}, ""),
        (200, {"Content-Type": "application/json"}, answer),
    )
    asked = ragdeploy("ask", "When is lunch?", "--url", url)
    assert asked.stdout == "At noon.\n"


@pytest.mark.parametrize(
    ("status", "job", "told"),
    [
        (404, {"detail": "There is no such job."}, "has forgotten a job"),
        (200, {"state": "failed", "errors": ["No space."], "done": 0}, "gave up a job.*No space"),
    ],
)
def test_a_job_that_does_not_end_well_is_told(ragdeploy, impostor, docs, status, job, told):
    as_json = {"Content-Type": "application/json"}
    url = impostor(
        (200, as_json, '{"default": "documents"}'),
        (200, as_json, '{"chunks": 0}'),
        (404, as_json, "{}"),  # the list of documents
        (202, as_json, json.dumps({"job_id": "0" * 32})),
        (status, as_json, json.dumps(job)),
    )
    run = ragdeploy("index", "docs", "--url", url)
    assert run.returncode == 1
    assert one_sentence(run.stderr)
    assert re.search(f"{told}.*run the command again", run.stderr), run.stderr


def test_something_else_at_the_address_is_told(ragdeploy, impostor):
    url = impostor((200, {"Content-Type": "text/html"}, "<h1>It works!</h1>"))
    asked = ragdeploy("ask", "Who is there?", "--url", url)
    assert f"{url} is not a ragdeploy service" in asked.stderr


# ---- eval ----
def test_eval_counts_questions_whose_page_is_among_the_sources(ragdeploy, service, docs, tmp_path):
    ragdeploy("index", "docs", "--url", service)
    cases = [
        {"question": "When is staging rebuilt?", "relevant": ["docs/rebuild.md"]},
        {"question": "How long is parental leave?", "relevant": ["leave.html"]},
        {"question": "Where is lunch served?", "relevant": ["other.txt", "eave.html"]},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, cases)))
    table = ragdeploy("eval", "q.jsonl", "--url", service, "-k", 1, "-k", 3).stdout
    assert "\n3 questions\n            hits  recall     MRR    nDCG\n" in table
    assert "\nat 1       0.667   0.667   0.667   0.667\n" in table
    assert "\nat 3       " in table
    assert re.search(r"^   -  Where is lunch served\? +docs/lunch\.txt$", table, re.MULTILINE)
    result = json.loads(ragdeploy("eval", "q.jsonl", "--url", service, "--json").stdout)
    assert result["questions"] == 3
    assert list(result["at"]) == ["1", "3", "5", "10"]
    assert result["at"]["1"] == pytest.approx(
        dict.fromkeys(("hits", "recall", "mrr", "ndcg"), 2 / 3)
    )
    assert [case["rank"] for case in result["results"]] == [1, 1, None]


def test_eval_takes_grades_and_judges_a_collection_by_words(ragdeploy, service, docs, tmp_path):
    ragdeploy("index", "docs", "--collection", "graded", "--url", service)
    case = {"question": "When is staging rebuilt?", "relevant": {"rebuild.md": 2, "gone.md": 1}}
    (tmp_path / "q.jsonl").write_text(json.dumps(case))
    run = ragdeploy(
        "eval", "q.jsonl", "--collection", "graded", "--mode", "sparse", "--json", "--url", service
    )
    assert json.loads(run.stdout)["at"]["3"] == pytest.approx(
        {"hits": 1, "recall": 0.5, "mrr": 1, "ndcg": 2 / (2 + 1 / math.log2(3))}
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"question": "Where?"}', "q.jsonl:2: relevant: Field required"),
        ('{"question": "Where?", "relevant": {"a": 0}}', "q.jsonl:2: relevant: "),
        ("not json", "q.jsonl:2: line: Invalid JSON"),
    ],
)
def test_a_wrong_line_of_a_question_file_is_named(ragdeploy, tmp_path, line, told):
    good = '{"question": "Where is it?", "relevant": ["a"]}'
    (tmp_path / "q.jsonl").write_text(f"{good}\n{line}\n")
    run = ragdeploy("eval", "q.jsonl", "--url", NOWHERE)
    assert run.returncode == 1
    assert told in run.stderr


# ---- serve ----
def test_serve_says_where_it_listens_and_what_to_type_next_and_ends_well(run_service):
    service = run_service()
    greeting = service.log
    assert f"ragdeploy listens on {service.url}" in greeting
    assert f"index --url {service.url} docs/" in greeting
    assert "Answers are extracts" in greeting
    assert service.stop() == 0
    assert "Traceback" not in service.log


def test_serve_in_a_cluster_writes_nothing_but_json(run_service):
    service = run_service(RAG_LOG_FORMAT="json")
    lines = [json.loads(line) for line in service.log.splitlines()]
    assert {"listening"} <= {line["event"] for line in lines}


def test_a_port_that_is_taken_is_told_at_once(ragdeploy, service, model):
    port = httpx.URL(service).port
    run = ragdeploy("serve", "--port", port)
    assert run.returncode == 1
    assert one_sentence(run.stderr)
    assert "--port or PORT" in run.stderr


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"RAG_PORT": "http"}, "RAG_PORT"),
        ({"PORT": "0"}, "PORT"),
        ({"RAG_CHUNK_SIZE": "20", "RAG_CHUNK_OVERLAP": "19"}, "chunk_overlap"),
        ({"RAG_HOST": "0.0.0.0"}, "RAG_API_KEYS"),
        ({"RAG_EMBEDDING_MODEL_DIR": "/nowhere"}, "/nowhere, which has no model.onnx"),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(ragdeploy, model, variables, told):
    here = {"RAG_EMBEDDING_MODEL_DIR": str(model.folder)}
    run = ragdeploy("serve", **(here | variables))
    assert run.returncode == 1
    assert one_sentence(run.stderr), run.stderr
    assert told in run.stderr


# ---- model fetch ----
@pytest.mark.parametrize(
    ("options", "kind", "places"), [((), "embedding model", 2), (("--cross-encoder",), "cross-", 1)]
)
def test_model_fetch_says_what_was_tried(ragdeploy, options, kind, places):
    nowhere = {"HF_ENDPOINT": NOWHERE, "RAG_MODEL_MAVEN_URL": NOWHERE}
    run = ragdeploy("model", "fetch", *options, "--to", "here", **nowhere)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert f"The {kind}" in run.stderr
    assert run.stderr.count(f"- {NOWHERE}: ") == places


def test_a_new_key_is_shown_once_and_stored_as_its_digest(ragdeploy):
    made = ragdeploy("keys", "new", "--tenant", "acme", "--scope", "query", "--id", "shop")
    assert made.returncode == 0
    key = made.stderr.split()[-1]
    assert key.startswith("rag_")
    assert json.loads(made.stdout) == {
        "sha256": sha256(key.encode()).hexdigest(),
        "id": "shop",
        "tenant": "acme",
        "scopes": ["query"],
    }
    another = ragdeploy("keys", "new", "--budget-tokens", "5")
    assert another.stderr.split()[-1] != key
    assert json.loads(another.stdout)["budget"] == {"tokens": 5, "period": "month"}


@pytest.mark.parametrize("option", [("--tenant", "ACME"), ("--id", "a b"), ("--scope", "all")])
def test_a_key_that_the_service_would_not_take_is_not_made(ragdeploy, option):
    made = ragdeploy("keys", "new", *option)
    assert made.returncode != 0
    assert made.stdout == ""
    assert option[0].removeprefix("--") in made.stderr
