"""The operator as it is shipped, on a real control plane."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.kinds import NAMESPACE, RAG_DEPLOYMENT
from tests.operator.bundle import Bundle
from tests.operator.running import RunningOperator
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def operator_settings() -> dict[str, str]:
    """Environment variables for the operator; a file of tests may have its own."""
    return {}


@pytest.fixture(scope="module")
def operator(
    cluster: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
    operator_settings: dict[str, str],
) -> Iterator[RunningOperator]:
    """The operator, running for the tests of one file under exactly the shipped RBAC."""
    folder: Path = tmp_path_factory.mktemp("operator")
    with RunningOperator(cluster, folder=folder, settings=operator_settings) as running:
        running.wait_leading()
        yield running


@pytest.fixture
def bundle(
    operator: RunningOperator, cluster: ControlPlane, namespace: str
) -> Callable[..., Bundle]:
    """Makes RagDeployments in the test's namespace: ``bundle(api={...})``."""

    def make(*, name: str = "docs", **spec: object) -> Bundle:
        return Bundle(cluster, namespace, name).apply(**spec)

    return make


@pytest.fixture
def nobody_leaves(cluster: ControlPlane) -> None:
    """No other test's RagDeployment is on its way out, so that an operator may do nothing.

    A test does not wait until its namespace is gone. Those that keep theirs are no trouble: an
    operator has nothing to do for a resource at rest.
    """

    def all_are_gone() -> bool:
        ending = {
            found["metadata"]["name"]
            for found in cluster.api.list(NAMESPACE)
            if "deletionTimestamp" in found["metadata"]
        }
        return not any(
            found["metadata"]["namespace"] in ending for found in cluster.api.list(RAG_DEPLOYMENT)
        )

    eventually(all_are_gone, what="the resources that leave to be gone")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Add what the operator logged, and its own figures, to the report of a failure."""
    running = getattr(item, "funcargs", {}).get("operator")
    if not isinstance(running, RunningOperator):
        return (yield)
    before = len(running.log)
    try:
        return (yield)
    except BaseException:
        item.add_report_section("call", "log of the operator", running.log[before:])
        item.add_report_section("call", "figures of the operator", running.figures())
        raise
