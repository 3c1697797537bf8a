"""``kubectl port-forward``, with a kubectl that does nothing else."""

from __future__ import annotations

import pytest

from ragdeploy_kubectl.kubectl import Kubectl
from ragdeploy_service.cli.console import Failure
from tests.support.waiting import eventually


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """Write what kubectl does, as a shell script."""

    def write(script: str) -> Kubectl:
        program = tmp_path / "kubectl"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return Kubectl("a-context", "a-namespace")

    return write


def test_the_port_is_the_one_that_kubectl_took(kubectl):
    forwarding = kubectl('echo "Forwarding from 127.0.0.1:4711 -> 8000"; exec sleep 60')
    with forwarding.port_forward("service/docs-api", 8000) as url:
        assert url == "http://127.0.0.1:4711"


def test_it_goes_on_however_much_it_tells_of_connections(kubectl, tmp_path):
    """A pipe holds 64 KiB; who writes more waits until somebody reads."""
    told = 'yes "Handling connection for 4711" | head -c 1000000'
    done = tmp_path / "done"
    many = kubectl(
        f'echo "Forwarding from 127.0.0.1:4711 -> 8000"; {told}; : >{done}; exec sleep 60'
    )
    with many.port_forward("service/docs-api", 8000):
        eventually(done.exists, what="a million bytes are told")


def test_what_kubectl_says_of_a_failure_is_passed_on(kubectl):
    gone = kubectl("echo 'error: services \"docs-api\" not found' >&2; exit 1")
    with (
        pytest.raises(Failure, match=r'^services "docs-api" not found$'),
        gone.port_forward("service/docs-api", 8000),
    ):
        pass


def test_a_silent_failure_names_what_was_to_be_reached(kubectl):
    silent = kubectl("exit 1")
    with (
        pytest.raises(Failure, match="service/docs-api cannot be reached"),
        silent.port_forward("service/docs-api", 8000),
    ):
        pass
