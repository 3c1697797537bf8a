"""Fixtures for every test: real servers, started once per run and only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.binaries import find_binaries


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line at once, although pytest holds back what tests print."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)

    return line


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
