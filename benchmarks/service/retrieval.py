"""``make bench-retrieval``: what is found on a real corpus, by meaning, by words and by both.

With ``ARGS="--cross-encoder FOLDER"`` also what a cross-encoder makes of it (its model.onnx and
tokenizer.json; it is not fetched).

Indexes the Python documentation with the product's own command, and lets the
product score twenty questions whose pages are known.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import print_table
from benchmarks.service.corpus import EXCLUDE, python_docs
from ragdeploy_service.adapters.models.embedding import ensure_model
from ragdeploy_service.settings import ServiceSettings
from tests.support.service import ServiceProcess

ROOT = Path(__file__).parents[2]
QUESTIONS = ROOT / "examples" / "python-docs" / "questions.jsonl"
RAGDEPLOY = Path(sys.executable).with_name("ragdeploy")
HEADINGS = ("search", "hits at 3", "recall at 5", "MRR at 10", "nDCG at 10")
MODES = ("dense", "sparse", "hybrid")


def main() -> None:
    """Index, score, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-retrieval", description=__doc__)
    parser.add_argument("--cross-encoder", type=Path, metavar="FOLDER", help="Rerank with this.")
    cross_encoder: Path | None = parser.parse_args().cross_encoder
    docs = python_docs()
    settings = ServiceSettings(data_dir=ROOT / ".ragdeploy", embedding_model_dir=None)
    model = asyncio.run(ensure_model(settings))
    environment = {"RAG_EMBEDDING_MODEL_DIR": str(model.folder.absolute())}
    if cross_encoder is not None:
        environment |= {
            "RAG_RERANK_BACKEND": "onnx",
            "RAG_RERANK_MODEL": cross_encoder.name,
            "RAG_RERANK_MODEL_DIR": str(cross_encoder.absolute()),
            "RAG_RERANK_TIMEOUT_SECONDS": "60",
        }
    with (
        tempfile.TemporaryDirectory() as folder,
        ServiceProcess(environment, folder=Path(folder)) as service,
    ):
        started = time.perf_counter()
        _index(service, docs)
        seconds = time.perf_counter() - started
        passages = service.http.get("/health").json()["parts"]["vector_store"]["chunks"]
        rows = list(_scores(service, reranked=cross_encoder is not None))
    print_table(
        HEADINGS, rows, setting=f"Milvus Lite, {passages:,} passages, indexed in {seconds:.0f} s"
    )


def _index(service: ServiceProcess, docs: Path) -> None:
    exclude = itertools.chain.from_iterable(("--exclude", name) for name in EXCLUDE)
    subprocess.run([RAGDEPLOY, "index", docs, "--url", service.url, *exclude], check=True)


def _scores(service: ServiceProcess, *, reranked: bool) -> Iterator[tuple[str, ...]]:
    rerankings = ("--no-rerank", "--rerank") if reranked else ("--no-rerank",)
    for rerank, mode in itertools.product(rerankings, MODES):
        depths = itertools.chain.from_iterable(("-k", str(k)) for k in (3, 5, 10))
        command: list[str | Path] = [
            RAGDEPLOY,
            "eval",
            QUESTIONS,
            "--url",
            service.url,
            "--mode",
            mode,
            rerank,
        ]
        run = subprocess.run([*command, *depths, "--json"], check=True, capture_output=True)
        result: dict[str, Any] = json.loads(run.stdout)
        at = result["at"]
        yield (
            mode if rerank == "--no-rerank" else f"{mode}, reranked",
            f"{at['3']['hits'] * result['questions']:.0f} of {result['questions']}",
            f"{at['5']['recall']:.2f}",
            f"{at['10']['mrr']:.2f}",
            f"{at['10']['ndcg']:.2f}",
        )


if __name__ == "__main__":
    main()
