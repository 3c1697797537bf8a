"""What Prometheus is told: where to scrape, and when to wake somebody."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import alerts, names
from ragdeploy_operator.build.api import COMPONENT
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest, manifest

SERVICE_MONITOR, PROMETHEUS_RULE = "ServiceMonitor", "PrometheusRule"


def service_monitor(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the ServiceMonitor, where the cluster knows that kind and nobody declined it."""
    wanted = resource.spec.monitoring.service_monitor
    if wanted.enabled is False or SERVICE_MONITOR not in context.kinds:
        return []
    return [
        manifest(
            resource,
            api_version="monitoring.coreos.com/v1",
            kind=SERVICE_MONITOR,
            name=names.api(resource.name),
            component=COMPONENT,
            labels=wanted.labels,
            spec={
                "selector": {"matchLabels": names.selector(resource.name, COMPONENT)},
                "endpoints": [{"port": "http", "path": "/metrics", "interval": wanted.interval}],
            },
        )
    ]


def prometheus_rule(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the PrometheusRule, where the cluster knows that kind and nobody declined it."""
    wanted = resource.spec.monitoring.prometheus_rule
    if wanted.enabled is False or PROMETHEUS_RULE not in context.kinds:
        return []
    name = names.api(resource.name)
    return [
        manifest(
            resource,
            api_version="monitoring.coreos.com/v1",
            kind=PROMETHEUS_RULE,
            name=name,
            component=COMPONENT,
            labels=wanted.labels,
            # a ServiceMonitor gives its targets the name of the Service as their job
            spec={"groups": alerts.groups(namespace=resource.namespace, job=name)},
        )
    ]
