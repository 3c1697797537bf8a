"""``ragdeploy load``: what became of questions that are asked at a rate."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

QUESTION = "When is staging rebuilt?"


@contextmanager
def service(answer: Callable[[int], tuple[int, dict]]) -> Iterator[str]:
    """A service that gives these answers: the number of the question to status and body."""
    numbers = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = answer(next(numbers))
            data = json.dumps({"question": asked["question"], **body}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def told(lines: str) -> dict[str, int]:
    """Sums of the lines of ``--json``."""
    found = [json.loads(line) for line in lines.splitlines()]
    kinds = ("answered", "degraded", "limited", "failed")
    return {kind: sum(line[kind] for line in found) for kind in kinds}


def test_questions_to_a_service_are_answered_and_counted(ragdeploy, run_service):
    done = ragdeploy("load", QUESTION, "--url", run_service().url, "--rate", 20, "--seconds", 2)
    assert done.returncode == 0
    assert done.stdout.startswith("40 answered, 0 failed; p50 ")


def test_each_outcome_is_counted_by_itself_and_a_failure_is_named(ragdeploy):
    answers = [
        (200, {"degraded": []}),
        (200, {"degraded": ["llm"]}),
        (429, {}),
        (503, {"detail": "No."}),
    ]
    with service(lambda number: answers[number % 4]) as url:
        done = ragdeploy("load", QUESTION, "--url", url, "--rate", 40, "--seconds", 1, "--json")
        text = ragdeploy("load", QUESTION, "--url", url, "--rate", 40, "--seconds", 1)
    assert done.returncode == text.returncode == 1
    assert told(done.stdout) == {"answered": 10, "degraded": 10, "limited": 10, "failed": 10}
    assert "  503: No.\n" in text.stdout


def test_a_service_that_is_not_there_fails_in_words(ragdeploy):
    done = ragdeploy("load", QUESTION, "--url", "http://127.0.0.1:9", "--rate", 5, "--seconds", 1)
    assert done.returncode == 1
    assert "0 answered, 5 failed" in done.stdout
    assert "ConnectError" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_stall_counts_for_all_questions_that_were_due_meanwhile(ragdeploy):
    """Measured from the sending on, one answer of a stall of a second would be slow, not fifty."""

    def stalls_once(number: int) -> tuple[int, dict]:
        if number == 0:
            time.sleep(1)  # the stall itself
        return 200, {}

    with service(stalls_once) as url:
        arguments = ["--rate", 50, "--seconds", 2, "--clients", 1, "--json"]
        done = ragdeploy("load", QUESTION, "--url", url, *arguments)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert told(done.stdout)["answered"] == 100
    slow = [line for line in lines if line["p50_ms"] and line["p50_ms"] > 200]
    assert sum(line["answered"] for line in slow) > 20


def test_without_a_rate_each_client_asks_again_at_once(ragdeploy):
    with service(lambda _: (200, {})) as url:
        done = ragdeploy("load", QUESTION, "--url", url, "--seconds", 1, "--clients", 4, "--json")
    assert told(done.stdout)["answered"] > 40


def test_questions_come_from_a_file_in_turns(ragdeploy, tmp_path):
    (tmp_path / "questions.txt").write_text("First question?\n\nSecond question?\n")
    with service(lambda _: (200, {})) as url:
        done = ragdeploy(
            "load", "--file", "questions.txt", "--url", url, "--rate", 10, "--seconds", 1
        )
        none = ragdeploy("load", "--url", url)
    assert done.stdout.startswith("10 answered, 0 failed")
    assert none.returncode == 1
    assert none.stderr.startswith("ragdeploy: there is no question")
