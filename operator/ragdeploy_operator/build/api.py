"""The API: pods that answer questions and index documents."""

from __future__ import annotations

from collections.abc import Iterator

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.common import SecretKeyRef
from ragdeploy_operator.build import credentials, names, placement, pods, services
from ragdeploy_operator.build.checksum import checksum
from ragdeploy_operator.build.config import API_KEYS_DIR, DATA_DIR, PORT, environment
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.images import reference
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_service.settings import variable

COMPONENT = names.Component.API
CONTAINER = "api"
USER = 10001

PRE_STOP_SECONDS = 5
"""Time for Services and ingresses to forget a pod before it stops accepting."""
MARGIN_SECONDS = 10
"""Time left after the drain for closing connections."""


def url(resource: RagDeployment) -> str:
    """Address of the API inside the cluster."""
    return f"http://{services.host(resource, names.api(resource.name))}:{PORT}"


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
    """Make the Deployment; it starts a new pod before it stops an old one."""
    replicas = {} if context.api_replicas is None else {"replicas": context.api_replicas}
    return manifest(
        resource,
        api_version="apps/v1",
        kind="Deployment",
        name=names.api(resource.name),
        component=COMPONENT,
        spec={
            **replicas,
            "selector": {"matchLabels": names.selector(resource.name, COMPONENT)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": _template(resource, context),
        },
    )


def _template(resource: RagDeployment, context: BuildContext) -> pods.Json:
    return pods.template(
        resource,
        COMPONENT,
        annotations={
            names.CONFIG_CHECKSUM: checksum(environment(resource)),
            names.SECRETS_CHECKSUM: checksum(_secrets(resource, context)),
        },
        placed=resource.spec.api,
        user=USER,
        group=USER,
        volume_group=USER,
        grace_seconds=PRE_STOP_SECONDS + resource.spec.api.drain_seconds + MARGIN_SECONDS,
        containers=[_container(resource, context)],
        volumes=[
            pods.empty_dir("data"),
            pods.empty_dir("tmp"),
            *([_api_keys(resource)] if resource.spec.auth.enabled else []),
        ],
        serviceAccountName=names.api(resource.name),
        **placement.spread(
            resource.spec.api.topology_spread, names.selector(resource.name, COMPONENT)
        ),
    )


def _container(resource: RagDeployment, context: BuildContext) -> pods.Json:
    image = resource.spec.image
    alive = pods.http_get("/health/live", "http")
    ready = pods.http_get("/health/ready", "http")
    mounts = [pods.mount("data", str(DATA_DIR)), pods.mount("tmp", "/tmp")]  # noqa: S108
    if resource.spec.auth.enabled:
        mounts.append(pods.mount("api-keys", str(API_KEYS_DIR), read_only=True))
    return {
        "name": CONTAINER,
        "image": reference(image, default=context.images.service),
        "imagePullPolicy": str(image.pull_policy),
        "command": ["ragdeploy", "serve"],
        "envFrom": [{"configMapRef": {"name": names.config(resource.name)}}],
        "env": [
            *_secret_variables(resource),
            *(pods.variable(one) for one in resource.spec.api.extra_env),
        ],
        "ports": [pods.port("http", PORT)],
        # Some models are fetched at the start: five minutes before it counts as stuck.
        "startupProbe": pods.probe(alive, every=2, failures=150, timeout=5),
        "livenessProbe": pods.probe(alive, every=10, failures=3, timeout=5),
        "readinessProbe": pods.probe(ready, every=5, failures=2, timeout=5),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        **pods.resources(resource.spec.api.resources),
        "securityContext": pods.container_security(),
        "volumeMounts": mounts,
    }


def _secret_variables(resource: RagDeployment) -> Iterator[pods.Json]:
    spec = resource.spec
    cache, store = spec.cache.external, spec.vector_store.external
    own_cache = SecretKeyRef(name=names.cache(resource.name), key=credentials.CACHE_URL)
    references = {
        "llm_api_key": spec.llm.api_key_secret_ref if spec.llm else None,
        "embedding_api_key": spec.embedding.api_key_secret_ref,
        "redis_url": cache.url_secret_ref if cache else own_cache,
        "milvus_token": store.token_secret_ref if store else None,
    }
    for setting, ref in references.items():
        if ref is not None:
            yield pods.from_secret(variable(setting), name=ref.name, key=ref.key)


def _secrets(resource: RagDeployment, context: BuildContext) -> list[str]:
    """List the Secrets in the pods' environment, which they read once, as checksums.

    API keys are not among them: those are files, and the service sees them change.
    """
    read = [
        f"{use}={context.secret_checksums.get(use, '')}"
        for use in resource.spec.secret_uses()
        if use.key is not None
    ]
    if resource.spec.cache.own is not None:
        read.append(checksum(context.cache_password))
    return read


def _api_keys(resource: RagDeployment) -> pods.Json:
    return {
        "name": "api-keys",
        "secret": {"secretName": credentials.api_keys_secret(resource), "defaultMode": 0o440},
    }
