"""The registry beside the kind cluster, from which its nodes pull: `make kind-registry`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.e2e.kubectl import Kubectl

pytestmark = pytest.mark.e2e

IMAGE = os.environ.get("REGISTRY_IMAGE", "registry:3")
CONTAINER = "kind-registry"
PORT = os.environ.get("REGISTRY_PORT", "5001")
BASE = os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm")


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def registry(operator: Kubectl) -> Iterator[str]:
    """Its name for Docker and for pods; it goes again unless it was there before."""
    if docker("image", "inspect", IMAGE).returncode and docker("pull", IMAGE).returncode:
        pytest.skip(f"the image {IMAGE} is not here and cannot be pulled")
    settings = {
        "KIND_CLUSTER": operator.context.removeprefix("kind-"),
        "REGISTRY_IMAGE": IMAGE,
        "REGISTRY_PORT": PORT,
    }
    there_before = docker("inspect", CONTAINER).returncode == 0
    script = Path(__file__).parents[2] / "hack/kind-registry"
    for _ in range(2):  # when it is there, nothing changes
        subprocess.run([script], env={**os.environ, **settings}, check=True, timeout=120)
    yield f"localhost:{PORT}"
    if not there_before:
        docker("rm", "--force", "--volumes", CONTAINER)


def test_what_is_pushed_there_runs_on_the_cluster(kubectl: Kubectl, registry: str) -> None:
    image = f"{registry}/e2e:{token_hex(4)}"
    docker("tag", BASE, image)
    pushed = docker("push", image)
    docker("rmi", image)
    assert pushed.returncode == 0, pushed.stderr
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pulled"},
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "pulled",
                        "image": image,
                        "imagePullPolicy": "Always",
                        "command": ["python", "--version"],
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            },
        }
    )
    finished = "--for=jsonpath={.status.phase}=Succeeded"
    kubectl("wait", finished, "pod/pulled", "--timeout=120s", timeout=130)
    known = Kubectl(kubectl.context, "kube-public").get("configmap", "local-registry-hosting")
    assert f'host: "{registry}"' in known["data"]["localRegistryHosting.v1"]
