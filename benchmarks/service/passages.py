"""Passages of real text and their vectors, cut and embedded once and kept in ``.cache``."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from benchmarks.service import corpus
from ragdeploy_service.adapters.embedding import BatchedEmbedder
from ragdeploy_service.adapters.models.published import ModelFiles
from ragdeploy_service.documents import find_files, read_file
from ragdeploy_service.rag.indexing.chunking import Chunker

CACHE = Path(__file__).parents[2] / ".cache" / "bench-service"

# Tokens of a passage, with the two that the model puts around it.
_TOKENS = range(112, 131)
_CUT_AT = 128
_SLICE = 512

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Passages:
    """Texts of about 128 tokens: those that stand in the store, and more to index."""

    stored: list[str]
    further: list[str]
    questions: Path

    @property
    def digest(self) -> str:
        """Names the texts that are stored."""
        return hashlib.sha256("\0".join(self.stored).encode()).hexdigest()[:16]


def load(model: ModelFiles, *, stored: int) -> Passages:
    """Cut the Python documentation into passages, the same on every machine with the same pages."""
    CACHE.mkdir(parents=True, exist_ok=True)
    kept = CACHE / "passages.json"
    if not kept.exists():
        pages = list(find_files([corpus.python_docs()], exclude=corpus.EXCLUDE))
        texts, titles = _cut(pages, model)
        _write(kept, json.dumps({"texts": texts, "titles": titles}))
    data = json.loads(kept.read_text("utf-8"))
    questions = CACHE / "questions.txt"
    _write(questions, "\n".join(_questions(data["titles"])))
    texts = data["texts"]
    return Passages(stored=texts[:stored], further=texts[stored:], questions=questions)


async def embedded(passages: Passages, embedder: BatchedEmbedder) -> Path:
    """Embed the passages that are stored, into a file of shape (n, d); takes minutes, once."""
    model = hashlib.sha256(embedder.fingerprint.encode()).hexdigest()[:16]
    file = CACHE / f"vectors-{passages.digest}-{model}.npy"
    if not file.exists():
        print(f"embedding {len(passages.stored):,} passages, once", file=sys.stderr, flush=True)
        texts = passages.stored
        slices = [texts[start : start + _SLICE] for start in range(0, len(texts), _SLICE)]
        rows = [await embedder.embed_documents(part) for part in slices]
        with (partial := file.with_suffix(".part")).open("wb") as opened:
            np.save(opened, np.concatenate(rows))
        partial.rename(file)
    return file


def _cut(pages: list[Path], model: ModelFiles) -> tuple[list[str], list[str]]:
    """Cut pages; only passages of about the same length, so that a rate of them means something."""
    tokenizer = Tokenizer.from_file(str(model.tokenizer))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    chunker = Chunker(tokenizer, size=_CUT_AT, overlap=0)
    texts: dict[str, None] = {}
    titles: dict[str, None] = {}
    for page in map(read_file, pages):
        titles[str(page.metadata["title"])] = None
        for chunk in chunker.split(page):
            if len(tokenizer.encode(chunk.shown).ids) in _TOKENS:
                texts[chunk.shown] = None
    # Pages of one kind stand together, so that the first ones alone would be of few kinds.
    ordered = sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())
    return ordered, list(titles)


def _questions(titles: list[str]) -> Iterator[str]:
    """Make questions about the pages' titles, in letters that need no escape in JSON."""
    for template, title in itertools.product(_TEMPLATES, titles):
        yield re.sub(r"[^\w .,()?-]", "", template.format(title), flags=re.ASCII)


def _write(file: Path, text: str) -> None:
    partial = file.with_suffix(".part")
    partial.write_text(text, "utf-8")
    partial.rename(file)
