"""What Prometheus is told: where to scrape, and when to wake somebody."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import alerts, names, services
from ragdeploy_operator.build.api import COMPONENT
from ragdeploy_operator.build.config import PORT
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest, manifest

_SCRAPED = {
    "key": names.COMPONENT_LABEL,
    "operator": "In",
    "values": [str(COMPONENT), str(names.Component.INDEXER)],
}

SERVICE_MONITOR, PROMETHEUS_RULE = "ServiceMonitor", "PrometheusRule"


def service_monitor(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the ServiceMonitor and what it finds, where the kind is known and nobody declined."""
    wanted = resource.spec.monitoring.service_monitor
    if wanted.enabled is False or SERVICE_MONITOR not in context.kinds:
        return []
    return [
        # nobody calls the indexer, but a ServiceMonitor finds pods by their Service
        services.service(
            resource,
            names.Component.INDEXER,
            name=names.indexer(resource.name),
            ports={"http": PORT},
        ),
        manifest(
            resource,
            api_version="monitoring.coreos.com/v1",
            kind=SERVICE_MONITOR,
            name=names.api(resource.name),
            component=COMPONENT,
            labels=wanted.labels,
            spec={
                "selector": {
                    "matchLabels": names.selector(resource.name),
                    "matchExpressions": [_SCRAPED],
                },
                "endpoints": [{"port": "http", "path": "/metrics", "interval": wanted.interval}],
            },
        ),
    ]


def prometheus_rule(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the PrometheusRule, where the cluster knows that kind and nobody declined it."""
    wanted = resource.spec.monitoring.prometheus_rule
    if wanted.enabled is False or PROMETHEUS_RULE not in context.kinds:
        return []
    if resource.spec.suspend:  # nobody is to be woken because nothing runs
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
            spec={
                "groups": alerts.groups(
                    namespace=resource.namespace, job=name, indexer=names.indexer(resource.name)
                )
            },
        )
    ]
