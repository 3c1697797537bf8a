"""The words of the domain, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Metadata = Mapping[str, Any]

# As much of a title as is embedded with each chunk, about 32 tokens.
TITLE_BYTES = 128


DEFAULT_TENANT = "default"
"""Whose the documents are where keys name no tenant."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CollectionId:
    """Names a collection: documents of one tenant that are searched together.

    Both names follow `settings.NAME_PATTERN`. The tenant comes from the API key and from nothing
    in the request, so no request can name another's collection.
    """

    tenant: str
    name: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text that a user gave us to answer from."""

    id: str
    text: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a document, short enough for the embedding model.

    ``id`` is a function of all the other fields, so that indexing the same
    document twice writes the same rows. ``start`` is where the chunk begins in
    the document's text, in characters: with it the chunks of a document make
    up its text again, although neighbours overlap. So ``text`` holds the white
    space up to the next chunk too; readers and models are given ``shown``.
    """

    id: str
    document_id: str
    position: int
    start: int
    text: str
    metadata: Metadata = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The text without white space around it."""
        return self.text.strip()

    @property
    def in_context(self) -> str:
        """The text under its document's title: what is embedded.

        "Returns the number of bytes" is about nothing by itself. On the Python
        documentation the title raises the mean reciprocal rank of twenty
        questions from 0.86 to 0.91.
        """
        title = self.metadata.get("title")
        if not isinstance(title, str) or not title.strip():
            return self.shown
        short = title.strip().encode()[:TITLE_BYTES].decode(errors="ignore")
        return f"{short}\n\n{self.shown}"


class SearchMode(StrEnum):
    """How passages are found: by meaning, by words, or by both."""

    DENSE = "dense"
    SPARSE = "sparse"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk that was found for a question.

    ``score`` is what the passages are ordered by. ``dense_score`` is the cosine similarity, -1 to
    1, and ``sparse_score`` the BM25 score, from 0 up; None where that search did not find it.
    ``rerank_score`` is what a reranker gave, None if none was asked.
    """

    chunk: Chunk
    score: float
    dense_score: float | None = None
    sparse_score: float | None = None
    rerank_score: float | None = None


class AnswerMode(StrEnum):
    """Who wrote the answer."""

    GENERATED = "generated"
    EXTRACTIVE = "extractive"


class Rating(StrEnum):
    """What somebody thinks of an answer."""

    UP = "up"
    DOWN = "down"


class CacheState(StrEnum):
    """Whether an answer was kept from an earlier question.

    ``semantic``: from a question that means the same. ``stale``: from before the last change of
    the collection, or longer ago than answers are good for, because none could be made now.
    """

    NONE = "none"
    EXACT = "exact"
    SEMANTIC = "semantic"
    STALE = "stale"


class Part(StrEnum):
    """A part the service can answer without, only less well."""

    CACHE = "cache"
    EMBEDDER = "embedder"
    VECTOR_STORE = "vector_store"
    RERANKER = "reranker"
    LLM = "llm"


class Stage(StrEnum):
    """A step of the work whose time is measured."""

    JOBS = "jobs"
    CACHE = "cache"
    EMBED = "embed"
    RETRIEVE = "retrieve"
    RERANK = "rerank"
    GENERATE = "generate"
    EXTRACT = "extract"
    CHUNK = "chunk"
    STORE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a language model counted for one answer."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, the passages it rests on, and what was missing when it was made."""

    text: str
    mode: AnswerMode
    passages: tuple[Passage, ...]
    usage: Usage | None = None
    degraded: tuple[Part, ...] = ()


class JobKind(StrEnum):
    """What a job does; the worker has a handler for each."""

    INDEX = "index"
    REINDEX = "reindex"


class JobState(StrEnum):
    """How far a job has come; it ends as ``succeeded``, ``failed`` or ``cancelled``."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more is done for the job."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work on a collection that was accepted, and what became of it.

    ``epoch`` counts the jobs of the collection from 1, in the order they were
    accepted. ``done`` and ``total`` count documents; ``attempts`` counts
    workers that began it; the times are in UTC.
    """

    id: str
    kind: JobKind
    collection: CollectionId
    epoch: int
    state: JobState
    total: int
    done: int
    attempts: int
    errors: tuple[str, ...]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs, and where the next page begins; None after the last."""

    jobs: tuple[Job, ...]
    next_page: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """How far the jobs of a collection have come.

    ``last`` is the epoch of the job accepted last, 0 before the first. Every job up to
    ``reached`` has ended.
    """

    reached: int
    last: int
