"""A real API server that knows RagDeployments."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from ragdeploy_operator.api.crd import definition
from tests.controlplane import ControlPlane
from tests.operator.unit.apiserver import ApiServer

# No deadline: how long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("ragdeploy", deadline=None, max_examples=50)
hypothesis.settings.load_profile("ragdeploy")


@pytest.fixture(scope="session")
def apiserver(control_plane: ControlPlane) -> Iterator[ApiServer]:
    """Talks to the API server as kubectl does; the resource's definition is installed."""
    control_plane.api.define(definition())
    server = ApiServer(control_plane)
    yield server
    server.close()
