"""The API: pods that answer questions and take documents in."""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import credentials, names, pods, service_pods, services
from ragdeploy_operator.build.config import API_KEYS_DIR, CONFIG_DIR, PORT, environment, fixed
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_service.settings import Role

COMPONENT = names.Component.API

PRE_STOP_SECONDS = 5
"""Time for Services and ingresses to forget a pod before it stops accepting."""


def url(resource: RagDeployment) -> str:
    """Address of the API inside the cluster."""
    return url_of(resource.name, namespace=resource.namespace)


def url_of(name: str, *, namespace: str) -> str:
    """Address of the API of the resource of this name, inside the cluster."""
    return f"http://{services.host_of(names.api(name), namespace=namespace)}:{PORT}"


def service_account(resource: RagDeployment) -> Manifest:
    """Make an identity of its own, which may do nothing and mounts no token."""
    return manifest(
        resource,
        api_version="v1",
        kind="ServiceAccount",
        name=names.api(resource.name),
        component=COMPONENT,
        automountServiceAccountToken=False,
    )


def service(resource: RagDeployment) -> Manifest:
    """Make the Service that callers use."""
    wanted = resource.spec.network.service
    return services.service(
        resource,
        COMPONENT,
        name=names.api(resource.name),
        ports={"http": PORT},
        kind=wanted.type,
        annotations=wanted.annotations,
    )


def deployment(resource: RagDeployment, context: BuildContext) -> Manifest:
    """Make the Deployment."""
    spec = resource.spec
    asks_for_keys, rerank = spec.auth.enabled, spec.retrieval.rerank
    mount = pods.mount("api-keys", str(API_KEYS_DIR), read_only=True)
    config_mount = pods.mount("config", str(CONFIG_DIR), read_only=True)
    return service_pods.deployment(
        resource,
        context,
        service_pods.Setup(
            component=COMPONENT,
            role=Role.API,
            workload=spec.api,
            name=names.api(resource.name),
            replicas=context.api_replicas,
            settings=fixed(environment(resource)),
            secrets={
                "llm_api_key": spec.llm.api_key_secret_ref if spec.llm else None,
                "rerank_api_key": rerank.api_key_secret_ref if rerank else None,
                **service_pods.store_secrets(resource),
            },
            linger_seconds=PRE_STOP_SECONDS,
            mounts=[config_mount, *([mount] if asks_for_keys else [])],
            volumes=[_config(resource), *([_api_keys(resource)] if asks_for_keys else [])],
        ),
    )


def _config(resource: RagDeployment) -> pods.Json:
    """Mount the settings too: a file follows an edit, which the pod's environment does not."""
    return {
        "name": "config",
        "configMap": {"name": names.config(resource.name), "defaultMode": 0o444},
    }


def _api_keys(resource: RagDeployment) -> pods.Json:
    return {
        "name": "api-keys",
        "secret": {"secretName": credentials.api_keys_secret(resource), "defaultMode": 0o440},
    }
