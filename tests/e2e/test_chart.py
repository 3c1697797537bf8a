"""The chart as somebody installs it who has rights in one namespace only, and its upgrade."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chart.conftest import CHART, PREVIOUS
from tests.e2e.bundle import Bundle
from tests.e2e.kubectl import Kubectl
from tools.build import find

pytestmark = pytest.mark.e2e

RELEASE = "own"


@contextmanager
def resting(operator: Kubectl) -> Iterator[None]:
    """Have the operator that looks after all namespaces rest, for the length of a block."""
    [deployment] = operator.list("deployments")
    name, replicas = deployment["metadata"]["name"], deployment["spec"]["replicas"]
    ours = "--selector=app.kubernetes.io/component=operator"
    operator("scale", f"deployment/{name}", "--replicas=0")
    operator("wait", "--for=delete", "pods", ours, "--timeout=60s", timeout=70)
    try:
        yield
    finally:
        operator("scale", f"deployment/{name}", f"--replicas={replicas}")
        operator("rollout", "status", f"deployment/{name}", "--timeout=120s", timeout=130)


def helm(kubectl: Kubectl, verb: str, *arguments: str | Path) -> None:
    """Run helm with a release in the namespace."""
    where = (f"--kube-context={kubectl.context}", f"--namespace={kubectl.namespace}")
    command = [find("helm"), verb, RELEASE, *arguments, *where]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def images(operator: Kubectl) -> list[str]:
    """Values for the images of the operator that is installed, which the nodes have."""
    [deployment] = operator.list("deployments")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    repository, _, tag = container["image"].rpartition(":")
    given = {"image.registry": "", "image.repository": repository, "image.tag": tag}
    for part in ("service", "redis", "milvus"):
        given[f"defaultImages.{part}"] = environment[f"RAGDEPLOY_{part.upper()}_IMAGE"]
    return [f"--set-string={name}={value}" for name, value in given.items()]


def test_an_operator_of_one_namespace_serves_it_and_is_upgraded_under_it(
    kubectl: Kubectl, operator: Kubectl
) -> None:
    values = [*images(operator), "--set=clusterWide=false,crds.enabled=false,replicas=1"]
    bundle = Bundle(kubectl, "small")
    with resting(operator):
        helm(kubectl, "install", PREVIOUS, *values, "--wait", "--timeout=120s")
        assert not kubectl.list("clusterroles", selector=f"app.kubernetes.io/instance={RELEASE}")
        bundle.apply({"api": {"autoscaling": {"enabled": False}, "replicas": 1}})
        bundle.wait_until_ready()
        bundle.wait_until_settled()
        before = {part: bundle.pods(part) for part in ("api", "cache", "vector-store")}

        helm(kubectl, "upgrade", CHART, *values, "--wait", "--timeout=120s")
        helm(kubectl, "test")
        bundle.edit({"retrieval": {"topK": 2}})  # the new one works
        bundle.wait_until_settled()
        assert {part: bundle.pods(part) for part in before} == before

        kubectl("delete", "ragd", "small", "--timeout=60s", timeout=70)
        helm(kubectl, "uninstall", "--wait")
