"""The Services, and the names by which clients reach them."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.network import ServiceType
from ragdeploy_operator.build import names
from ragdeploy_operator.build.manifest import Manifest, manifest


def service(
    resource: RagDeployment,
    component: names.Component,
    *,
    name: str,
    ports: dict[str, int],
    kind: ServiceType = ServiceType.CLUSTER_IP,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    """Make a Service; ``ports`` maps the container's port names to numbers.

    It has an address of its own also before a single pod. Behind a headless one,
    clients would try the address of a pod that is gone for as long as DNS
    remembers it.
    """
    return manifest(
        resource,
        api_version="v1",
        kind="Service",
        name=name,
        component=component,
        annotations=annotations,
        spec={
            "type": str(kind),
            "selector": names.selector(resource.name, component),
            "ports": [
                {"name": port, "port": number, "targetPort": port, "protocol": "TCP"}
                for port, number in ports.items()
            ],
        },
    )


def nodes(
    resource: RagDeployment, component: names.Component, *, name: str, ports: dict[str, int]
) -> Manifest:
    """Make the headless Service that gives each pod of a StatefulSet a name.

    Also one that is not ready has it: it must be found to become so.
    """
    made = service(resource, component, name=name, ports=ports)
    headless = {"clusterIP": "None", "publishNotReadyAddresses": True}
    return {**made, "spec": {**made["spec"], **headless}}


def host(resource: RagDeployment, name: str) -> str:
    """Name by which pods of any namespace reach a Service of ``resource``."""
    return host_of(name, namespace=resource.namespace)


def host_of(name: str, *, namespace: str) -> str:
    """Name by which pods of any namespace reach a Service."""
    return f"{name}.{namespace}.svc"
