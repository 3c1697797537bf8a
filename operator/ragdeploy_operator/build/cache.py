"""The managed Redis: the answer cache and the indexing jobs."""

from __future__ import annotations

from dataclasses import dataclass, field

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.quantity import number
from ragdeploy_operator.api.workloads import ManagedCache
from ragdeploy_operator.build import (
    disruption,
    names,
    placement,
    pods,
    sentinel,
    services,
    stateful,
)
from ragdeploy_operator.build.checksum import checksum
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.credentials import (
    CACHE_CONFIG,
    CACHE_PASSWORD,
    REDIS_PORT,
    cache_password,
)
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_operator.build.pods import Json

COMPONENT = names.Component.CACHE
USER = 999
"""The user redis of the official image."""

CONFIG_FILE = "redis.conf"
_CONFIG_FOLDER = "/etc/redis/config"

# volatile-ttl: when memory is full, entries give way that would expire soonest. Those are the
# cached answers; jobs waiting to be done never expire, and so are never thrown away.
# The append-only file makes jobs survive a restart; a second at most is lost in a crash.
_CONFIG = """\
bind * -::*
port {port}
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory {max_memory}
maxmemory-policy volatile-ttl
include /etc/redis/secret/{secret}
"""


def build(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the children of the managed Redis; none if the Redis is external."""
    managed = resource.spec.cache.own
    if managed is None:
        return []
    name = names.cache(resource.name)
    make = _watched if managed.replicas > 1 else _single
    parts = make(resource, context, managed, name)
    config = manifest(
        resource,
        api_version="v1",
        kind="ConfigMap",
        name=name,
        component=COMPONENT,
        data=parts.files,
    )
    template = _template(
        resource,
        managed,
        parts,
        annotations={
            names.CONFIG_CHECKSUM: checksum(config["data"]),
            names.SECRETS_CHECKSUM: checksum(context.cache_password),
        },
    )
    return [
        config,
        parts.secret,
        parts.service,
        *parts.budgets,
        stateful.stateful_set(
            resource,
            COMPONENT,
            name=name,
            storage=managed.storage,
            replicas=managed.replicas,
            template=template,
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """In what a single Redis and three watched ones differ.

    Attributes:
        secret: The password, and where clients find the master.
        service: By what the pods are reached.
        files: Of the ConfigMap.
        containers: Of each pod.
        budgets: How many pods may be missing at once.
        pod_fields: More of the pod's spec.
    """

    secret: Manifest
    service: Manifest
    files: dict[str, str]
    containers: list[Json]
    budgets: list[Manifest] = field(default_factory=list)
    pod_fields: Json = field(default_factory=dict)


def _single(
    resource: RagDeployment, context: BuildContext, managed: ManagedCache, name: str
) -> _Parts:
    """Make one Redis, which is reached by the name of its Service."""
    # While Redis reads its data from the volume, it answers LOADING instead.
    answers = ["sh", "-c", 'test "$(redis-cli ping)" = PONG']
    return _Parts(
        secret=cache_password(resource, context),
        service=services.service(resource, COMPONENT, name=name, ports={"redis": REDIS_PORT}),
        files={CONFIG_FILE: _config(managed)},
        containers=[
            _redis(
                context,
                managed,
                command=["redis-server", f"{_CONFIG_FOLDER}/{CONFIG_FILE}"],
                ready=answers,
                environment=[pods.from_secret("REDISCLI_AUTH", name=name, key=CACHE_PASSWORD)],
            )
        ],
    )


def _watched(
    resource: RagDeployment, context: BuildContext, managed: ManagedCache, name: str
) -> _Parts:
    """Make three with Sentinels, whom clients ask which one is the master (see `sentinel`)."""
    environment = sentinel.environment(resource, secret=name)
    redis = _redis(
        context,
        managed,
        command=["sh", f"{_CONFIG_FOLDER}/start-redis.sh"],
        ready=["sh", f"{_CONFIG_FOLDER}/is-ready.sh"],
        environment=environment,
    )
    ports = {"redis": REDIS_PORT, "sentinel": sentinel.SENTINEL_PORT}
    return _Parts(
        secret=cache_password(
            resource, context, url=sentinel.url(resource, context.cache_password)
        ),
        service=services.nodes(resource, COMPONENT, name=name, ports=ports),
        files={
            CONFIG_FILE: _config(managed) + sentinel.CONFIG.format(port=REDIS_PORT),
            **sentinel.SCRIPTS,
        },
        containers=[
            {**redis, "lifecycle": sentinel.steps_down(_CONFIG_FOLDER)},
            sentinel.container(
                context, folder=_CONFIG_FOLDER, environment=environment, mounts=_mounts()
            ),
        ],
        # One at a time can be drained, or the Sentinels would lose their majority.
        budgets=[disruption.budget(resource, COMPONENT, name=name, max_unavailable=1)],
        pod_fields=placement.apart(names.selector(resource.name, COMPONENT)),
    )


def _config(managed: ManagedCache) -> str:
    return _CONFIG.format(
        port=REDIS_PORT, max_memory=int(number(managed.max_memory)), secret=CACHE_CONFIG
    )


def _template(
    resource: RagDeployment, managed: ManagedCache, parts: _Parts, *, annotations: dict[str, str]
) -> Json:
    name = names.cache(resource.name)
    return pods.template(
        resource,
        COMPONENT,
        annotations=annotations,
        placed=managed,
        user=USER,
        group=USER,
        volume_group=USER,
        grace_seconds=30,
        containers=parts.containers,
        volumes=[
            {"name": "config", "configMap": {"name": name}},
            {
                "name": "secret",
                "secret": {
                    "secretName": name,
                    "items": [{"key": CACHE_CONFIG, "path": CACHE_CONFIG}],
                },
            },
        ],
        **parts.pod_fields,
    )


def _redis(
    context: BuildContext,
    managed: ManagedCache,
    *,
    command: list[str],
    ready: list[str],
    environment: list[Json],
) -> Json:
    listens = {"tcpSocket": {"port": "redis"}}
    answers = {"exec": {"command": ready}}
    return {
        "name": "redis",
        "image": context.images.redis,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": environment,
        "ports": [pods.port("redis", REDIS_PORT)],
        "livenessProbe": pods.probe(listens, every=10, failures=6, timeout=5),
        "readinessProbe": pods.probe(answers, every=5, failures=3, timeout=3),
        **pods.resources(managed.resources),
        "securityContext": pods.container_security(),
        "volumeMounts": _mounts(),
    }


def _mounts() -> list[Json]:
    return [
        pods.mount(stateful.DATA, "/data"),
        pods.mount("config", _CONFIG_FOLDER, read_only=True),
        pods.mount("secret", "/etc/redis/secret", read_only=True),
    ]
