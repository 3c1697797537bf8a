"""The Ingress in front of the API."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.build.api import COMPONENT
from ragdeploy_operator.build.config import PORT
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_operator.build.pods import Json


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
