"""The managed Redis: the answer cache and the indexing jobs."""

from __future__ import annotations

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
    """Make the children of the managed Redis; none if the Redis is external.

    A single one is reached by the name of its Service. Of three, clients ask the Sentinels which
    one is the master (see `sentinel`).
    """
    managed = resource.spec.cache.own
    if managed is None:
        return []
    name = names.cache(resource.name)
    config = _config_map(resource, name, managed)
    return [
        config,
        _secret(resource, context, managed),
        _service(resource, name, managed),
        *_disruption_budget(resource, name, managed),
        stateful.stateful_set(
            resource,
            COMPONENT,
            name=name,
            storage=managed.storage,
            replicas=managed.replicas,
            template=_template(
                resource,
                context,
                managed,
                annotations={
                    names.CONFIG_CHECKSUM: checksum(config["data"]),
                    names.SECRETS_CHECKSUM: checksum(context.cache_password),
                },
            ),
        ),
    ]


def _is_watched(managed: ManagedCache) -> bool:
    """Whether Sentinels watch over it."""
    return managed.replicas > 1


def _secret(resource: RagDeployment, context: BuildContext, managed: ManagedCache) -> Manifest:
    if not _is_watched(managed):
        return cache_password(resource, context)
    return cache_password(resource, context, url=sentinel.url(resource, context.cache_password))


def _service(resource: RagDeployment, name: str, managed: ManagedCache) -> Manifest:
    if not _is_watched(managed):
        return services.service(resource, COMPONENT, name=name, ports={"redis": REDIS_PORT})
    ports = {"redis": REDIS_PORT, "sentinel": sentinel.SENTINEL_PORT}
    return services.nodes(resource, COMPONENT, name=name, ports=ports)


def _disruption_budget(resource: RagDeployment, name: str, managed: ManagedCache) -> list[Manifest]:
    """Let one Redis at a time be drained, or the Sentinels would lose their majority."""
    if not _is_watched(managed):
        return []
    return [disruption.budget(resource, COMPONENT, name=name, max_unavailable=1)]


def _config_map(resource: RagDeployment, name: str, managed: ManagedCache) -> Manifest:
    text = _CONFIG.format(
        port=REDIS_PORT, max_memory=int(number(managed.max_memory)), secret=CACHE_CONFIG
    )
    scripts: dict[str, str] = {}
    if _is_watched(managed):
        text += sentinel.CONFIG.format(port=REDIS_PORT)
        scripts = sentinel.SCRIPTS
    return manifest(
        resource,
        api_version="v1",
        kind="ConfigMap",
        name=name,
        component=COMPONENT,
        data={CONFIG_FILE: text, **scripts},
    )


def _template(
    resource: RagDeployment,
    context: BuildContext,
    managed: ManagedCache,
    *,
    annotations: dict[str, str],
) -> pods.Json:
    name = names.cache(resource.name)
    containers = [_container(context, managed, secret=name)]
    more: pods.Json = {}
    if _is_watched(managed):
        environment = sentinel.environment(resource, secret=name)
        mounts = _mounts()
        containers = [
            {
                **containers[0],
                "command": ["sh", f"{_CONFIG_FOLDER}/start-redis.sh"],
                "env": environment,
                "readinessProbe": pods.probe(
                    {"exec": {"command": ["sh", f"{_CONFIG_FOLDER}/is-ready.sh"]}},
                    every=5,
                    failures=3,
                    timeout=3,
                ),
                "lifecycle": sentinel.steps_down(_CONFIG_FOLDER),
            },
            sentinel.container(
                context, folder=_CONFIG_FOLDER, environment=environment, mounts=mounts
            ),
        ]
        more = placement.apart(names.selector(resource.name, COMPONENT))
    return pods.template(
        resource,
        COMPONENT,
        annotations=annotations,
        placed=managed,
        user=USER,
        group=USER,
        volume_group=USER,
        grace_seconds=30,
        containers=containers,
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
        **more,
    )


def _container(context: BuildContext, managed: ManagedCache, *, secret: str) -> pods.Json:
    listens = {"tcpSocket": {"port": "redis"}}
    # While Redis reads its data from the volume, it answers LOADING instead.
    answers = {"exec": {"command": ["sh", "-c", 'test "$(redis-cli ping)" = PONG']}}
    return {
        "name": "redis",
        "image": context.images.redis,
        "imagePullPolicy": "IfNotPresent",
        "command": ["redis-server", f"{_CONFIG_FOLDER}/{CONFIG_FILE}"],
        "env": [pods.from_secret("REDISCLI_AUTH", name=secret, key=CACHE_PASSWORD)],
        "ports": [pods.port("redis", REDIS_PORT)],
        "livenessProbe": pods.probe(listens, every=10, failures=6, timeout=5),
        "readinessProbe": pods.probe(answers, every=5, failures=3, timeout=3),
        **pods.resources(managed.resources),
        "securityContext": pods.container_security(),
        "volumeMounts": _mounts(),
    }


def _mounts() -> list[pods.Json]:
    return [
        pods.mount(stateful.DATA, "/data"),
        pods.mount("config", _CONFIG_FOLDER, read_only=True),
        pods.mount("secret", "/etc/redis/secret", read_only=True),
    ]
