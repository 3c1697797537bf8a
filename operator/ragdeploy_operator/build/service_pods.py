"""Pods that run the service's image, in one role or another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ragdeploy_operator.api import RagDeployment, SecretUse
from ragdeploy_operator.api.application import Workload
from ragdeploy_operator.api.common import SecretKeyRef
from ragdeploy_operator.build import credentials, names, placement, pods
from ragdeploy_operator.build.checksum import checksum
from ragdeploy_operator.build.config import DATA_DIR, PORT, text
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.images import reference
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_service.settings import Role, variable

USER = 10001

MARGIN_SECONDS = 10
"""Time left after the drain for closing connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What tells the pods of one role from those of another.

    ``settings`` are those that they read: another value replaces the pods. ``secrets`` maps
    settings to the Secrets that hold them. ``linger_seconds`` pass before a pod is told to stop.
    """

    component: names.Component
    role: Role
    workload: Workload
    name: str
    replicas: int | None
    settings: dict[str, str]
    secrets: dict[str, SecretKeyRef | None]
    linger_seconds: int = 0
    mounts: Sequence[pods.Json] = field(default_factory=list)
    volumes: Sequence[pods.Json] = field(default_factory=list)


def store_secrets(resource: RagDeployment) -> dict[str, SecretKeyRef | None]:
    """Where the secrets are by which the service reaches its stores and embeds texts."""
    spec = resource.spec
    cache, store = spec.cache.external, spec.vector_store.external
    own_cache = SecretKeyRef(name=names.cache(resource.name), key=credentials.CACHE_URL)
    return {
        "embedding_api_key": spec.embedding.api_key_secret_ref,
        "redis_url": cache.url_secret_ref if cache else own_cache,
        "milvus_token": store.token_secret_ref if store else None,
    }


def deployment(resource: RagDeployment, context: BuildContext, setup: Setup) -> Manifest:
    """Make the Deployment; it starts a new pod before it stops an old one."""
    return manifest(
        resource,
        api_version="apps/v1",
        kind="Deployment",
        name=setup.name,
        component=setup.component,
        spec={
            **({} if setup.replicas is None else {"replicas": setup.replicas}),
            "selector": {"matchLabels": names.selector(resource.name, setup.component)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": _template(resource, context, setup),
        },
    )


def _template(resource: RagDeployment, context: BuildContext, setup: Setup) -> pods.Json:
    workload = setup.workload
    return pods.template(
        resource,
        setup.component,
        annotations={
            names.CONFIG_CHECKSUM: checksum(setup.settings),
            names.SECRETS_CHECKSUM: checksum(_secrets(resource, context, setup)),
        },
        placed=workload,
        user=USER,
        group=USER,
        volume_group=USER,
        grace_seconds=setup.linger_seconds + workload.drain_seconds + MARGIN_SECONDS,
        containers=[_container(resource, context, setup)],
        volumes=[pods.empty_dir("data"), pods.empty_dir("tmp"), *setup.volumes],
        serviceAccountName=names.api(resource.name),
        **placement.spread(
            workload.topology_spread, names.selector(resource.name, setup.component)
        ),
    )


def _container(resource: RagDeployment, context: BuildContext, setup: Setup) -> pods.Json:
    image = resource.spec.image
    alive = pods.http_get("/health/live", "http")
    ready = pods.http_get("/health/ready", "http")
    sleep = {"lifecycle": {"preStop": {"sleep": {"seconds": setup.linger_seconds}}}}
    return {
        "name": str(setup.component),
        "image": reference(image, default=context.images.service),
        "imagePullPolicy": str(image.pull_policy),
        "command": ["ragdeploy", "serve"],
        "envFrom": [{"configMapRef": {"name": names.config(resource.name)}}],
        "env": list(_variables(setup)),
        "ports": [pods.port("http", PORT)],
        # Some models are fetched at the start: five minutes before it counts as stuck.
        "startupProbe": pods.probe(alive, every=2, failures=150, timeout=5),
        "livenessProbe": pods.probe(alive, every=10, failures=3, timeout=5),
        "readinessProbe": pods.probe(ready, every=5, failures=2, timeout=5),
        **(sleep if setup.linger_seconds else {}),
        **pods.resources(setup.workload.resources),
        "securityContext": pods.container_security(),
        "volumeMounts": [
            pods.mount("data", str(DATA_DIR)),
            pods.mount("tmp", "/tmp"),  # noqa: S108 -- a path in the container
            *setup.mounts,
        ],
    }


def _variables(setup: Setup) -> Iterator[pods.Json]:
    yield {"name": variable("role"), "value": text(setup.role)}
    yield {"name": variable("drain_seconds"), "value": text(setup.workload.drain_seconds)}
    for setting, ref in setup.secrets.items():
        if ref is not None:
            yield pods.from_secret(variable(setting), name=ref.name, key=ref.key)
    yield from (pods.variable(one) for one in setup.workload.extra_env)


def _secrets(resource: RagDeployment, context: BuildContext, setup: Setup) -> list[str]:
    """List the Secrets in the pods' environment, which they read once, as checksums.

    API keys are not among them: those are files, and the service sees them change.
    """
    read = [
        f"{use}={context.secret_checksums.get(use, '')}"
        for use in resource.spec.secret_uses()
        if _reads(setup, use)
    ]
    if resource.spec.cache.own is not None:
        read.append(checksum(context.cache_password))
    return read


def _reads(setup: Setup, use: SecretUse) -> bool:
    refs = [
        *setup.secrets.values(),
        *(one.value_from.secret_key_ref for one in setup.workload.extra_env if one.value_from),
    ]
    return any(ref and (ref.name, ref.key) == (use.name, use.key) for ref in refs)
