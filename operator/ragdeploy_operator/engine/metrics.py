"""The operator's own metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as Total
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ragdeploy_operator.objects import Key

_PREFIX = "ragdeploy_operator"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics of one operator; each instance has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.reconciles = Total(
            f"{_PREFIX}_reconcile",
            "Reconciles that ended, by result.",
            ["result"],
            registry=self.registry,
        )
        self.errors = Total(
            f"{_PREFIX}_reconcile_errors",
            "Reconciles that ended in an error, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.duration = Histogram(
            f"{_PREFIX}_reconcile_duration_seconds",
            "Duration of a reconcile.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests = Total(
            f"{_PREFIX}_api_requests",
            "Requests to the API server, by verb and status code; 0 is no answer.",
            ["verb", "code"],
            registry=self.registry,
        )
        self.is_leading = False
        """Whether this replica holds the lease; whoever takes or loses it sets this."""
        Gauge(
            f"{_PREFIX}_leading", "1 while this replica holds the lease.", registry=self.registry
        ).set_function(lambda: self.is_leading)
        self.conditions = Conditions()
        self.registry.register(self.conditions)

    def answered(self, verb: str, code: int) -> None:
        """Count a request to the API server."""
        self.requests.labels(verb, str(code)).inc()

    def follow_queue(self, *, depth: Callable[[], float], age: Callable[[], float]) -> None:
        """Show a queue: how many keys wait, and for how long the oldest has, in seconds."""
        Gauge(
            f"{_PREFIX}_queue_depth", "Resources that wait.", registry=self.registry
        ).set_function(depth)
        Gauge(
            f"{_PREFIX}_queue_oldest_age_seconds",
            "Time that the oldest of them has waited.",
            registry=self.registry,
        ).set_function(age)


class Conditions(Collector):
    """How many resources have which conditions, counted when somebody asks."""

    def __init__(self) -> None:
        self._of: dict[Key, Mapping[str, str]] = {}

    def set(self, key: Key, statuses: Mapping[str, str]) -> None:
        """Take in the statuses of a resource's conditions, by type."""
        self._of[key] = statuses

    def forget(self, key: Key) -> None:
        """Leave out a resource that is gone."""
        self._of.pop(key, None)

    def collect(self) -> Iterable[Metric]:
        """Count."""
        family = GaugeMetricFamily(
            f"{_PREFIX}_resources",
            "RagDeployments by the status of their conditions.",
            labels=["condition", "status"],
        )
        counts = Counter(pair for statuses in self._of.values() for pair in statuses.items())
        for pair, count in sorted(counts.items()):
            family.add_metric(pair, count)
        yield family
