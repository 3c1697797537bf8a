"""The Ingress or the HTTPRoute in front of the API."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.build.api import COMPONENT
from ragdeploy_operator.build.config import PORT
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_operator.build.pods import Json

HTTP_ROUTE = "HTTPRoute"


def ingress(resource: RagDeployment) -> list[Manifest]:
    """Make the Ingress, where one is asked for."""
    wanted = resource.spec.network.ingress
    if wanted is None:
        return []
    name = names.api(resource.name)
    backend = {"service": {"name": name, "port": {"number": PORT}}}
    rule: Json = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: Json = {"rules": [rule]}
    if wanted.class_name is not None:
        spec["ingressClassName"] = wanted.class_name
    if wanted.host is not None:
        rule["host"] = wanted.host
        if wanted.tls is not None:
            secret = wanted.tls.secret_name or names.certificate(resource.name)
            spec["tls"] = [{"hosts": [wanted.host], "secretName": secret}]
    return [
        manifest(
            resource,
            api_version="networking.k8s.io/v1",
            kind="Ingress",
            name=name,
            component=COMPONENT,
            annotations=wanted.annotations,
            spec=spec,
        )
    ]


def route(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the HTTPRoute, where one is asked for and the cluster knows that kind."""
    wanted = resource.spec.network.gateway
    if wanted is None or HTTP_ROUTE not in context.kinds:
        return []
    name = names.api(resource.name)
    written = wanted.model_dump(mode="json", by_alias=True, exclude_none=True)
    return [
        manifest(
            resource,
            api_version="gateway.networking.k8s.io/v1",
            kind=HTTP_ROUTE,
            name=name,
            component=COMPONENT,
            spec={
                **{field: value for field, value in written.items() if value},
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                        "backendRefs": [{"name": name, "port": PORT}],
                        # An answer is a stream that ends by the service's own deadline, and a
                        # long document is sent for as long as it takes.
                        "timeouts": {"request": "0s"},
                    }
                ],
            },
        )
    ]
