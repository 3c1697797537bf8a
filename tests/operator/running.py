"""A running operator, and when it has nothing left to do."""

from __future__ import annotations

import time

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.operator import OperatorProcess
from tests.support.waiting import PATIENCE, eventually

_QUIET_SECONDS = 1.3  # longer than the operator waits between two writes of one status


class RunningOperator(OperatorProcess):
    """The operator's process, with what its metrics tell."""

    def metric(self, name: str, **labels: str) -> float:
        """Value of a metric, summed over the labels that are not given."""
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"ragdeploy_operator_{name}"
            and labels.items() <= sample.labels.items()
        )

    def figures(self) -> str:
        """All its own metrics, as text; for somebody who wonders what it is doing."""
        try:
            text = self.http.get("/metrics").text
        except httpx.HTTPError as error:
            return f"no answer: {error!r}"
        lines = text.splitlines()
        return "\n".join(
            line
            for line in lines
            if line.startswith("ragdeploy_operator_")
            and "_bucket{" not in line
            and "_created" not in line
        )

    @property
    def looks(self) -> float:
        """How many times it has looked at a resource."""
        return self.metric("reconcile_total")

    def wait_leading(self, *, timeout: float = PATIENCE) -> None:
        """Return once it is the one that writes, and has begun to."""
        eventually(
            lambda: self.metric("leading") and "beginning to work" in self.log,
            what="the operator to lead",
            timeout=timeout,
        )

    def wait_idle(self, *, timeout: float = PATIENCE) -> None:
        """Return once it has looked at nothing for a moment and nothing waits."""
        last, since = -1.0, time.monotonic()

        def quiet() -> bool:
            nonlocal last, since
            looks = self.looks
            if looks != last or self.metric("queue_depth"):
                last, since = looks, time.monotonic()
            return time.monotonic() - since >= _QUIET_SECONDS

        eventually(quiet, what="the operator to have nothing to do", timeout=timeout)

    def wait_looks(self, number: float, *, timeout: float = PATIENCE) -> None:
        """Return once it has looked at resources so many times more."""
        before = self.looks
        eventually(
            lambda: self.looks >= before + number, what=f"{number:g} more looks", timeout=timeout
        )
