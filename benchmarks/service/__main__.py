"""``make bench-service``: the service on a laptop, from an empty folder to answers.

Indexes the Python documentation with the product's own command, asks twenty
questions whose pages are known, and measures answers. Service, clients and
the stand-in for the language model share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.procfs import peak_megabytes, processor_seconds
from benchmarks.report import Row, milliseconds, print_report
from benchmarks.service import corpus, load
from benchmarks.service.llm import language_model
from ragdeploy_service.adapters.model_files import ModelFiles, ensure_model
from ragdeploy_service.documents import find_files, read_file
from ragdeploy_service.settings import ServiceSettings
from tests.support.service import ServiceProcess

ROOT = Path(__file__).parents[2]
QUESTIONS = ROOT / "examples" / "python-docs" / "questions.jsonl"
RAGDEPLOY = Path(sys.executable).with_name("ragdeploy")
LLM_MS = 50


_TEMPLATES = (
    "What is {}?",
    "How do I use {}?",
    "Show me an example of {}.",
    "What changed lately in {}?",
    "Which errors come from {}?",
    "Is {} safe to use from several threads?",
    "Where do I find the reference of {}?",
    "Why would I choose {} over something else?",
    "What should I know before I start with {}?",
    "Who is {} meant for?",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="length of each load")
    parser.add_argument("--data", type=Path, help="empty folder to fill and keep")
    options = parser.parse_args()

    docs = corpus.python_docs()
    settings = ServiceSettings(data_dir=ROOT / ".ragdeploy", embedding_model_dir=None)
    model = asyncio.run(ensure_model(settings))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = _measure(folder, docs, model, options.seconds)
    print_report(rows, setting="service, clients and language model share the machine")


def _measure(folder: Path, docs: Path, model: ModelFiles, seconds: float) -> list[Row]:
    environment = {"RAG_EMBEDDING_MODEL_DIR": str(model.folder.absolute())}
    rows: list[Row] = []
    with _started(environment, folder, rows) as service:
        rows += [*_index(service, docs), *_evaluate(service)]
        rows += _answers(service, _unique_questions(docs), "extract", seconds)
    with language_model(delay_ms=LLM_MS) as llm:
        environment |= {"OPENAI_BASE_URL": llm}
        with _started(environment, folder, rows) as service:
            rows += _answers(service, _unique_questions(docs), f"LLM {LLM_MS} ms", seconds)
    return rows


@contextmanager
def _started(
    environment: dict[str, str], folder: Path, rows: list[Row]
) -> Iterator[ServiceProcess]:
    """Run the service, and note how long it took to be ready."""
    service = ServiceProcess(environment, folder=folder)
    started = time.perf_counter()
    with service:
        rows.append(Row("start to ready", f"{time.perf_counter() - started:.1f} s", "3 s"))
        yield service


def _index(service: ServiceProcess, docs: Path) -> Iterator[Row]:
    """Index with the product's command, which shows its progress."""
    _say(f"index {docs}")
    pid = service.process.pid
    before, used, started = _chunks(service), processor_seconds(pid), time.perf_counter()
    exclude = itertools.chain.from_iterable(("--exclude", name) for name in corpus.EXCLUDE)
    subprocess.run([RAGDEPLOY, "index", docs, "--url", service.url, *exclude], check=True)
    seconds = time.perf_counter() - started
    new, used = _chunks(service) - before, processor_seconds(pid) - used
    if not new:
        raise SystemExit("The folder holds the passages already; name an empty one with --data.")
    yield Row("passages indexed", f"{new:,} in {seconds:.0f} s")
    yield Row("indexing", f"{new / seconds:.0f} passages/s", "60/s")
    yield Row("  processor time of the service", f"{used / new * 1000:.0f} ms a passage")
    yield Row("  memory of the service at most", f"{peak_megabytes(pid):.0f} MB")


def _evaluate(service: ServiceProcess) -> Iterator[Row]:
    """Ask the twenty questions."""
    _say("twenty questions whose pages are known")
    command = [RAGDEPLOY, "eval", QUESTIONS, "--url", service.url, "--json"]
    run = subprocess.run(command, check=True, capture_output=True)
    result = json.loads(run.stdout)
    yield Row("hits at 3", f"{result['hits']} of {result['questions']}")
    yield Row("mean reciprocal rank", f"{result['mrr']:.2f}")


def _answers(
    service: ServiceProcess, questions: Iterator[str], kind: str, seconds: float
) -> Iterator[Row]:
    """Measure new questions, and one that was asked before."""
    load.ask(service.port, questions, clients=4, seconds=2)  # warm
    for clients in (1, 16, 64):
        _say(f"{kind}: new questions, {clients} clients")
        result = load.ask(service.port, questions, clients=clients, seconds=seconds)
        yield _row(f"new question, {kind}", clients, result)
    for clients in (1, 64):
        _say(f"{kind}: the same question, {clients} clients")
        same = itertools.repeat("What is a tuple?")
        result = load.ask(service.port, same, clients=clients, seconds=seconds)
        yield _row(f"same question, {kind}", clients, result)


def _row(name: str, clients: int, result: load.Load) -> Row:
    failures = f", {result.failures} failed" if result.failures else ""
    value = f"{result.rate:,.0f}/s, p50 / p99 {milliseconds(result.latencies)}{failures}"
    return Row(f"{name}, {clients} client{'s' if clients > 1 else ''}", value)


def _unique_questions(docs: Path) -> Iterator[str]:
    """Make questions about the pages' titles, none twice."""
    titles = [
        str(read_file(page).metadata["title"])
        for page in find_files([docs], exclude=corpus.EXCLUDE)
    ]
    for number in itertools.count(1):
        for template, title in itertools.product(_TEMPLATES, titles):
            # The service takes no angle brackets or braces.
            question = re.sub("[<>{}]", "", template.format(title))
            yield question if number == 1 else f"{question} ({number})"


def _chunks(service: ServiceProcess) -> int:
    parts = service.http.get("/health").raise_for_status().json()["parts"]
    return int(parts["vector_store"]["chunks"])


def _say(what: str) -> None:
    print(f"bench-service: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
