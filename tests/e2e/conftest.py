"""A namespace of a cluster where the operator is installed, and a bundle in it."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.e2e.bundle import Bundle
from tests.e2e.kubectl import Kubectl, KubectlFailed

EXAMPLE = Path(__file__).parents[2] / "examples/without-llm.yaml"
OPERATOR_NAMESPACE = "ragdeploy-system"

_REPORT = pytest.StashKey[list[str]]()
_KUBECTL = pytest.StashKey[Kubectl]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = []


@pytest.fixture(scope="session")
def operator() -> Kubectl:
    """kubectl in the operator's namespace, of the cluster in KUBE_CONTEXT or else KIND_CLUSTER."""
    context = (
        os.environ.get("KUBE_CONTEXT") or f"kind-{os.environ.get('KIND_CLUSTER', 'ragdeploy')}"
    )
    kubectl = Kubectl(context, OPERATOR_NAMESPACE)
    try:
        kubectl("wait", "--for=condition=Available", "deployment", "--all", "--timeout=60s")
    except KubectlFailed as error:
        pytest.fail(f"The operator does not run in {context}: {error}. `make e2e` installs it.")
    return kubectl


@pytest.fixture(scope="session")
def kubectl(operator: Kubectl, pytestconfig: pytest.Config) -> Iterator[Kubectl]:
    """kubectl in a namespace of its own that takes only pods of the profile restricted."""
    kubectl = Kubectl(operator.context, f"e2e-{token_hex(3)}")
    pytestconfig.stash[_KUBECTL] = kubectl
    kubectl("create", "namespace", kubectl.namespace)
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", kubectl.namespace, restricted)
    yield kubectl
    kubectl("delete", "namespace", kubectl.namespace, "--wait=false")


@pytest.fixture(scope="session")
def bundle(kubectl: Kubectl, pytestconfig: pytest.Config) -> Bundle:
    """The example of the README, applied and ready."""
    bundle = Bundle(kubectl, "docs")
    began = time.monotonic()
    kubectl("apply", f"--filename={EXAMPLE}")
    bundle.wait_until_ready()
    took = time.monotonic() - began
    report = pytestconfig.stash[_REPORT]
    report.append(f"from kubectl apply to Ready: {took:.1f} s")
    kubectl("wait", "--for=condition=Available", "deployment/docs-api", "--timeout=60s", timeout=70)
    report.append("kubectl get ragd,all\n" + kubectl("get", "ragd,all"))
    return bundle


# ---- what a person wants to see, in the end and after a failure ----
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for text in config.stash[_REPORT]:
        terminalreporter.write_line(text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    kubectl = item.config.stash.get(_KUBECTL, None)
    if report.failed and kubectl is not None:
        report.sections.extend(_what_happened(kubectl))
    return report


def _what_happened(kubectl: Kubectl) -> list[tuple[str, str]]:
    operator = Kubectl(kubectl.context, OPERATOR_NAMESPACE)
    commands = [
        (kubectl, "describe ragd"),
        (kubectl, "get all,pvc"),
        (kubectl, "get events --sort-by=.lastTimestamp"),
        (kubectl, "describe pods"),
        *((kubectl, f"logs {pod} --tail=25") for pod in _names(kubectl)),
        *((operator, f"logs {pod} --tail=60") for pod in _names(operator)),
    ]
    return [(f"kubectl {command}", _output(where, command)) for where, command in commands]


def _names(kubectl: Kubectl) -> list[str]:
    return _output(kubectl, "get pods --output=name").split()


def _output(kubectl: Kubectl, command: str) -> str:
    try:
        return kubectl(*command.split())
    except KubectlFailed as error:
        return str(error)
