"""The Prometheus that ``make monitoring`` installs, and what it knows of a bundle."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.e2e.kubectl import Json, Kubectl

NAMESPACE = "monitoring"


@dataclass(frozen=True)
class Prometheus:
    """Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/)."""

    client: httpx.Client

    @classmethod
    @contextmanager
    def reached(cls, context: str) -> Iterator[Prometheus]:
        """Reach the one of a cluster."""
        kubectl = Kubectl(context, NAMESPACE)
        with (
            kubectl.port_forward("pod/prometheus-kind-0", 9090) as url,
            httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client,
        ):
            yield cls(client)

    def up(self) -> Counter[tuple[str, str]]:
        """How many targets answer, by namespace and Service."""
        return Counter(
            (target["labels"]["namespace"], target["labels"]["job"])
            for target in self._get("/targets")["activeTargets"]
            if target["health"] == "up"
        )

    def alerts_of(self, namespace: str) -> dict[str, str]:
        """Health of each alert that asks for a namespace: ok, err, or unknown until evaluated."""
        groups = self._get("/rules", type="alert")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return {rule["name"]: rule["health"] for rule in rules if namespace in rule["query"]}

    def state(self, alert: str, namespace: str) -> str | None:
        """State of an alert: pending, firing, or None."""
        for one in self._get("/alerts")["alerts"]:
            labels = one["labels"]
            if labels["alertname"] == alert and labels.get("namespace") == namespace:
                return str(one["state"])
        return None

    def range(
        self, expression: str, *, since: float, step: float
    ) -> Iterator[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Evaluate an expression every ``step`` seconds until now.

        Yields:
            Labels of each series; seconds since the beginning and values, without NaN.
        """
        found = self._get("/query_range", query=expression, start=since, end=time.time(), step=step)
        for series in found["result"]:
            points = [(at - since, float(value)) for at, value in series["values"]]
            yield series["metric"], [point for point in points if not math.isnan(point[1])]

    def _get(self, path: str, **parameters: str | float) -> Json:
        data: Json = self.client.get(path, params=parameters).raise_for_status().json()["data"]
        return data
