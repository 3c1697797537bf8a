"""How Prometheus finds the API."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.build.api import COMPONENT
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest, manifest

SERVICE_MONITOR = "ServiceMonitor"


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
