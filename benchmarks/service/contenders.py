"""What is measured against each other: our service on two stores, and the tutorial's."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import numpy as np

from benchmarks.service.passages import Passages, embedded
from ragdeploy_service.adapters.embedding import load_chunker, load_embedder
from ragdeploy_service.adapters.milvus.store import MilvusStore
from ragdeploy_service.rag.models import Document
from ragdeploy_service.services import default_collection
from ragdeploy_service.settings import ServiceSettings
from tests.support.process import Process, free_port
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

_BASELINE = Path(__file__).with_name("baseline")
_BASELINE_PYTHON = Path(".cache/venv-baseline/bin/python")
_FILL_AT_ONCE = 500
_INDEX_SECONDS = 600.0
_START_SECONDS = 300.0  # on a machine that does much else


class Contender(ABC):
    """A service with the corpus in its store."""

    name: str
    url: str

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process that serves requests."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether there is such a process."""

    @abstractmethod
    def fill(self, passages: Passages) -> None:
        """Put the corpus into its store, before it starts."""

    @abstractmethod
    def start(self) -> float:
        """Start it; seconds until it is ready."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    @abstractmethod
    def index(self, texts: Sequence[str]) -> float:
        """Hand texts in over HTTP; seconds until all of them can be found."""


class Ours(Contender):
    """``ragdeploy serve`` on Milvus Lite, or on a server with Redis."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        folder: Path,
        *,
        vectors: Path | None = None,
    ) -> None:
        """Fill its store from ``vectors``, or with those of its own model."""
        folder.mkdir(parents=True, exist_ok=True)
        self._given = vectors
        self.name = name
        self._environment = dict(environment)
        self._folder = folder
        self._service = ServiceProcess(self._environment, folder=folder)
        self.url = self._service.url

    @property
    def pid(self) -> int:
        return self._service.process.pid

    @property
    def running(self) -> bool:
        return self._service.process.running

    @property
    def log(self) -> str:
        """All that it has written."""
        return self._service.log

    def replica(self, number: int) -> Ours:
        """Make another process on the same stores."""
        return Ours(f"{self.name} {number}", self._environment, self._folder / str(number))

    def fill(self, passages: Passages) -> None:
        asyncio.run(self._fill(passages))

    def start(self) -> float:
        started = time.perf_counter()
        self._service.start(timeout=_START_SECONDS)
        return time.perf_counter() - started

    def stop(self) -> None:
        self._service.stop()

    def index(self, texts: Sequence[str]) -> float:
        started = time.perf_counter()
        accepted = self._service.http.post("/index", json={"documents": list(texts)})
        job = f"/jobs/{accepted.raise_for_status().json()['job_id']}"

        def ended() -> bool:
            state = self._service.http.get(job).raise_for_status().json()
            if state["state"] == "failed":
                raise RuntimeError(f"{self.name}: {state}")
            return bool(state["state"] == "succeeded")

        eventually(ended, what="the texts are indexed", timeout=_INDEX_SECONDS, interval=0.1)
        return time.perf_counter() - started

    async def _fill(self, passages: Passages) -> None:
        settings = _settings(self._environment, self._folder)
        embedder = await load_embedder(settings)
        self.vectors = self._given or await embedded(passages, embedder)
        vectors = np.load(self.vectors)
        store = await asyncio.to_thread(
            MilvusStore.from_settings,
            settings,
            dimension=embedder.dimension,
            fingerprint=embedder.fingerprint,
        )
        try:
            await store.drop(default_collection(settings))  # left by a run on the same Milvus
            collection = await store.open(default_collection(settings), create=True)
            chunker = load_chunker(settings, embedder)
            documents = (
                Document(id=f"passage-{number}", text=text, metadata={"source": "python-docs"})
                for number, text in enumerate(passages.stored)
            )
            chunks = [chunk for document in documents for chunk in chunker.split(document)]
            for start in range(0, len(chunks), _FILL_AT_ONCE):
                part = slice(start, start + _FILL_AT_ONCE)
                await collection.upsert(chunks[part], vectors[part])
            await collection.commit()
        finally:
            await store.close()
            await embedder.close()


class Theirs(Contender):
    """The tutorial's service in an environment of its own."""

    name = "tutorial"

    def __init__(self, folder: Path, *, vectors: Path, llm_url: str, redis_port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._vectors = vectors
        self._chroma = folder / "chroma"
        self._log = folder / "tutorial.log"
        self._environment = os.environ | {
            "CHROMA_DIR": str(self._chroma),
            "OPENAI_BASE_URL": llm_url,
            "REDIS_PORT": str(redis_port),
            "HF_HUB_OFFLINE": "1",
            "ANONYMIZED_TELEMETRY": "False",
        }
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    def fill(self, passages: Passages) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as texts:
            json.dump(passages.stored, texts)
            texts.flush()
            subprocess.run(
                [_BASELINE_PYTHON, _BASELINE / "fill.py", texts.name, self._vectors, self._chroma],
                check=True,
                env=self._environment,
            )

    def start(self) -> float:
        command: list[str | Path] = [_BASELINE_PYTHON, "-m", "uvicorn", "main:app"]
        command += ["--app-dir", _BASELINE]
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--no-access-log"]
        self._process = Process(command, log=self._log, env=self._environment, name=self.name)
        started = time.perf_counter()
        self._process.start().wait_ready(self._is_ready, timeout=_START_SECONDS)
        return time.perf_counter() - started

    def stop(self) -> None:
        self._process.stop()

    def index(self, texts: Sequence[str]) -> float:
        before = self._rows()
        started = time.perf_counter()
        httpx.post(f"{self.url}/index", json={"documents": list(texts)}).raise_for_status()
        # It tells nobody when it is done, so look into its database.
        eventually(
            lambda: self._rows() >= before + len(texts),
            what="the texts are indexed",
            timeout=_INDEX_SECONDS,
            interval=0.2,
        )
        return time.perf_counter() - started

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def _rows(self) -> int:
        uri = f"file:{self._chroma / 'chroma.sqlite3'}?mode=ro"
        with sqlite3.connect(uri, uri=True, timeout=10) as database:
            return int(database.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0])


def demand_baseline() -> None:
    """Stop here if the environment of the tutorial's service is missing.

    Raises:
        SystemExit: it is missing; says how it is made.
    """
    if not _BASELINE_PYTHON.exists() or shutil.which("milvus-server") is None:
        raise SystemExit("Run this with `make bench-service`, which makes the environments.")


def _settings(environment: Mapping[str, str], folder: Path) -> ServiceSettings:
    """Read the settings as the service will."""
    kept = dict(os.environ)
    os.environ.update({"RAG_DATA_DIR": str(folder / "data")} | dict(environment))
    try:
        return ServiceSettings()
    finally:
        os.environ.clear()
        os.environ.update(kept)
