"""Services for the tests of the API, each a real process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragdeploy_service.adapters.models.published import ModelFiles
from tests.support.llm import LanguageModelServer
from tests.support.milvus import URI_VARIABLE, MilvusLiteServer, MilvusServer
from tests.support.service import ServiceProcess


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, model: ModelFiles
) -> Iterator[ServiceProcess]:
    """A service as ``make run`` starts it, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("service")
    with ServiceProcess({"RAG_EMBEDDING_MODEL_DIR": str(model.folder)}, folder=folder) as running:
        yield running


@pytest.fixture(scope="module")
def keyed_service(
    tmp_path_factory: pytest.TempPathFactory, model: ModelFiles, _llm: LanguageModelServer
) -> Iterator[ServiceProcess]:
    """A service with a language model that asks for the key "the-key", shared like `service`."""
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "OPENAI_BASE_URL": _llm.url,
        "RAG_API_KEYS": "the-key",
        "RAG_RATE_LIMIT_REQUESTS_PER_MINUTE": "0",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as running:
        running.http.headers["X-API-Key"] = "the-key"
        yield running


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[MilvusLiteServer]:
    """A vector store of its own process."""
    with_folder = tmp_path / "milvus"
    with_folder.mkdir()
    server = MilvusLiteServer(with_folder).start()
    yield server
    server.stop()


@pytest.fixture
def run_replica(
    run_service: Callable[..., ServiceProcess], milvus: MilvusLiteServer, redis_server
) -> Callable[..., ServiceProcess]:
    """Starts one of several services that share a vector store and a Redis."""

    def run(**settings: str) -> ServiceProcess:
        return run_service(MILVUS_URI=milvus.uri, REDIS_URL=redis_server.url, **settings)

    return run


@pytest.fixture(scope="module")  # only one can run: it makes room for who else tests with one
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """A real Milvus server, if this machine has one."""
    server = MilvusServer.find(tmp_path_factory.mktemp("milvus-server"))
    if server is None:
        pytest.skip(
            f"no Milvus server: set {URI_VARIABLE}, or put milvus-server on PATH (PyPI: milvus)"
        )
    yield server.start()
    server.stop()


@pytest.fixture
def patient_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in this process that may take its time: what it finds is tested, and not how soon."""
    for module in ("collection", "store"):
        monkeypatch.setattr(f"ragdeploy_service.adapters.milvus.{module}.READ", 60.0)
