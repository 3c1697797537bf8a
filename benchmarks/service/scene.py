"""The contenders with all they need: stores, Redis, and the corpus in them."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from benchmarks.service.contenders import Contender, Ours, Theirs
from benchmarks.service.llm import StandIn
from benchmarks.service.measures import say
from benchmarks.service.passages import Passages
from ragdeploy_service.adapters.models.published import ModelFiles
from tests.support.milvus import MilvusServer
from tests.support.redis import RedisServer

C = TypeVar("C", bound=Contender)


class Scene:
    """Makes contenders in a temporary folder; the stack ends what they need."""

    def __init__(
        self, stack: ExitStack, *, folder: Path, model: ModelFiles, passages: Passages, llm: StandIn
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._passages = passages
        self._llm = llm
        self._ours = {
            "RAG_EMBEDDING_MODEL_DIR": str(model.folder.absolute()),
            "OPENAI_BASE_URL": llm.url,
        }

    def laptop(self, *, vectors: Path | None = None, **environment: str) -> Ours:
        """Ours with nothing but itself: Milvus Lite, cache and queue in the process."""
        return self._ready(
            Ours(
                "ours, Milvus Lite",
                self._ours | environment,
                self._new_folder("laptop"),
                vectors=vectors,
            )
        )

    def cluster(self, *, vectors: Path | None = None, **environment: str) -> Ours:
        """Ours on a Milvus server and a Redis of its own."""
        stores = {
            "MILVUS_URI": self._milvus.uri,
            "RAG_MILVUS_PREFIX": "bench" + environment.get("RAG_EMBEDDING_PRECISION", ""),
            "REDIS_URL": self._redis().url,
            "RAG_LOG_FORMAT": "json",  # as the operator sets it
        }
        return self._ready(
            Ours(
                "ours, Milvus",
                self._ours | stores | environment,
                self._new_folder("cluster"),
                vectors=vectors,
            )
        )

    def tutorial(self, vectors: Path) -> Theirs:
        """The tutorial's service, with a Redis of its own too; its model gives the same vectors."""
        return self._ready(
            Theirs(
                self._new_folder("tutorial"),
                vectors=vectors,
                llm_url=self._llm.url,
                redis_port=self._redis().port,
            )
        )

    def _ready(self, contender: C) -> C:
        say(f"{contender.name}: filling its store")
        contender.fill(self._passages)
        contender.start()
        self._stack.callback(contender.stop)
        return contender

    @cached_property
    def _milvus(self) -> MilvusServer:
        """One for all: a second one on the machine would not start."""
        server = MilvusServer.find(self._new_folder("milvus"))
        assert server is not None, "demand_baseline saw to it"
        self._stack.callback(server.stop)
        return server.start()

    def _redis(self) -> RedisServer:
        program = RedisServer.find()
        if program is None:
            raise SystemExit("redis-server is not on PATH (Debian, Ubuntu: apt-get install redis)")
        server = RedisServer(program, self._new_folder("redis")).start()
        self._stack.callback(server.stop)
        return server

    def _new_folder(self, name: str) -> Path:
        number = len(list(self._folder.iterdir()))
        folder = self._folder / f"{number}-{name}"
        folder.mkdir()
        return folder
