"""Fixtures for every test: real servers, started once per run and only when asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragdeploy_service.adapters.models.embedding import ensure_model
from ragdeploy_service.adapters.models.published import ModelFiles
from ragdeploy_service.settings import ServiceSettings
from tests.controlplane import ControlPlane
from tests.controlplane.binaries import find_binaries
from tests.support.llm import LanguageModelServer
from tests.support.operator import install
from tests.support.redis import RedisServer
from tests.support.sentinel import Watched
from tests.support.service import ServiceProcess

ROOT = Path(__file__).parents[1]
IN_CI = os.environ.get("CI", "").lower() in ("true", "1")


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line at once, although pytest holds back what tests print."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)

    return line


# ---- Kubernetes ----
@pytest.fixture(scope="session")
def control_plane(say: Callable[[str], None]) -> Iterator[ControlPlane]:
    """A real kube-apiserver with etcd and the controllers; shared by the whole run."""
    with ControlPlane.start(binaries=find_binaries(say)) as cluster:
        say(f"control plane: ready in {cluster.started_in:.1f} s at {cluster.server}")
        yield cluster


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace for one test, deleted after it."""
    name = control_plane.create_namespace()
    yield name
    control_plane.delete_namespace(name)


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """The control plane with the shipped manifest applied: CRD, operator's account and RBAC."""
    install(control_plane)
    return control_plane


# ---- what the service talks to ----
@pytest.fixture(scope="session")
def _redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    program = RedisServer.find()
    if program is None:
        missing = "no redis-server on PATH (Debian: apt-get install redis-server)"
        if IN_CI:
            pytest.fail(f"{missing}; in CI it must be there")
        pytest.skip(missing)
    server = RedisServer(program, tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _watched(_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(_redis.program, tmp_path_factory.mktemp("watched"))
    yield watched
    watched.stop()


@pytest.fixture
def watched(_watched: Watched) -> Watched:
    """Three Redis and three Sentinels, all running, whatever the test before killed."""
    return _watched.start()


@pytest.fixture
def redis_server(_redis: RedisServer) -> RedisServer:
    """A real redis-server, empty, and running again if the test before killed it."""
    _redis.start().flush()
    return _redis


@pytest.fixture(scope="session")
def _llm() -> Iterator[LanguageModelServer]:
    server = LanguageModelServer().start()
    yield server
    server.stop()


@pytest.fixture
def llm(_llm: LanguageModelServer) -> LanguageModelServer:
    """An OpenAI-compatible server that does what a test tells it, with its defaults back."""
    _llm.reset()
    return _llm


# ---- the service ----
@pytest.fixture(scope="session")
def model() -> ModelFiles:
    """The real embedding model, fetched once for the clone and shared with ``make run``."""
    settings = ServiceSettings(data_dir=ROOT / ".ragdeploy", embedding_model_dir=None)
    return asyncio.run(ensure_model(settings))


@pytest.fixture
def run_service(
    tmp_path: Path, request: pytest.FixtureRequest, model: ModelFiles
) -> Iterator[Callable[..., ServiceProcess]]:
    """Starts ``ragdeploy serve`` with these environment variables; stopped after the test.

    >>> service = run_service(OPENAI_BASE_URL=llm.url, REDIS_URL=redis_server.url)

    Each has a folder of its own; with ``folder=`` two runs share their data. The log of
    each stands in the report of a test that fails.
    """
    started: list[ServiceProcess] = []

    def run(*, folder: Path | None = None, **settings: str) -> ServiceProcess:
        folder = folder or tmp_path / f"service-{len(started)}"
        folder.mkdir(exist_ok=True)
        here = {"RAG_EMBEDDING_MODEL_DIR": str(model.folder)}
        service = ServiceProcess(here | settings, folder=folder)
        started.append(service)
        return service.start()

    yield run
    for service in started:
        service.stop()
        request.node.add_report_section("call", f"log of {service.url}", service.log)
