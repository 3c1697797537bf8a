"""What watches the bundle."""

from __future__ import annotations

from pydantic import Field

from ragdeploy_operator.api.labels import Labels, names_rule
from ragdeploy_operator.api.model import Model, setting


class ServiceMonitor(Model):
    """A ServiceMonitor for the Prometheus Operator."""

    enabled: bool | None = Field(
        None,
        description="Make a ServiceMonitor: true, false, or when absent, "
        "wherever the cluster has that kind.",
    )
    labels: Labels | None = Field(
        None, description="Labels to add, by which a Prometheus selects it."
    )
    interval: str = Field(
        "30s", pattern=r"^[0-9]+(ms|s|m|h)$", max_length=16, description="Time between scrapes."
    )

    rules = (names_rule("serviceMonitor", "labels", "labels"),)


class PrometheusRule(Model):
    """Alerts, as a PrometheusRule for the Prometheus Operator."""

    enabled: bool | None = Field(
        None,
        description="Make a PrometheusRule: true, false, or when absent, "
        "wherever the cluster has that kind.",
    )
    labels: Labels | None = Field(
        None, description="Labels to add, by which a Prometheus selects it."
    )

    rules = (names_rule("prometheusRule", "labels", "labels"),)


class Dashboard(Model):
    """A dashboard for Grafana, in a ConfigMap."""

    enabled: bool | None = Field(
        None,
        description="Make the ConfigMap: true, false, or when absent, wherever the cluster has "
        "ServiceMonitors.",
    )
    labels: Labels | None = Field(
        None,
        description="Labels to add, by which Grafana's sidecar finds it; "
        'grafana_dashboard: "1" is there unless it is set otherwise.',
    )

    rules = (names_rule("dashboard", "labels", "labels"),)


class Tracing(Model):
    """Traces of requests, for a collector of OpenTelemetry."""

    endpoint: str = Field(
        pattern=r"^https?://",
        max_length=2048,
        description="Root of the collector (OTLP over HTTP), such as "
        "http://otel-collector.observability.svc:4318.",
    )
    sample_ratio: float = setting(
        "tracing_sample_ratio", "Share of the traces begun here that are sent."
    )


class Monitoring(Model):
    """What watches the bundle."""

    service_monitor: ServiceMonitor = Field(
        ServiceMonitor(), description="How Prometheus finds the API's metrics."
    )
    prometheus_rule: PrometheusRule = Field(
        PrometheusRule(), description="When somebody is called: docs/runbooks tells what to do."
    )
    dashboard: Dashboard = Field(Dashboard(), description="What one can look at in Grafana.")
    tracing: Tracing | None = Field(
        None, description="Where traces of requests are sent; none are made when absent."
    )
