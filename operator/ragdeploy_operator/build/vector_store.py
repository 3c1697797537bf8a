"""The managed Milvus: standalone, with its own etcd inside and its data on a volume.

As a cluster it is the Milvus Operator's, see ``milvus_cluster``.
"""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.api.workloads import ManagedVectorStore
from ragdeploy_operator.build import milvus_cluster, names, pods, services, stateful
from ragdeploy_operator.build.checksum import checksum
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.images import reference
from ragdeploy_operator.build.manifest import Manifest, manifest

COMPONENT = names.Component.VECTOR_STORE
PORT = milvus_cluster.PORT
METRICS_PORT = 9091

USER = 999
"""Images since 2.6 give their files to user and group 999 ..."""
GROUP = 0
"""... and those before to root, executable for group 0 only (milvus-io/milvus#30775, #46897)."""

DATA_PATH = "/var/lib/milvus"
CONFIG_PATH = "/etc/milvus"
ETCD_FILE = "etcd.yaml"

# As in Milvus' own scripts/standalone_embed.sh, but only for Milvus itself to reach.
_ETCD_CONFIG = """\
listen-client-urls: http://127.0.0.1:2379
advertise-client-urls: http://127.0.0.1:2379
quota-backend-bytes: 4294967296
auto-compaction-mode: revision
auto-compaction-retention: '1000'
"""

_ENVIRONMENT = {
    "DEPLOY_MODE": "STANDALONE",  # 2.6 reads the mode here, before its command line
    "ETCD_USE_EMBED": "true",
    "ETCD_DATA_DIR": f"{DATA_PATH}/etcd",
    "ETCD_CONFIG_PATH": f"{CONFIG_PATH}/{ETCD_FILE}",
    "COMMON_STORAGETYPE": "local",
    # With a collection loaded, it would wait for another node to take it over until it is killed,
    # and the next start waits for the sessions of the last one to run out. There is no other
    # node: 40 s from stop to ready instead of 70, 30 s after a crash instead of 50.
    "COMMON_GRACEFULSTOPTIMEOUT": "5",
    "COMMON_SESSION_TTL": "10",
}


def uri(resource: RagDeployment) -> str:
    """Address of the managed Milvus."""
    managed = resource.spec.vector_store.own
    if managed and managed.is_cluster:
        return milvus_cluster.uri(resource)
    return f"http://{services.host(resource, names.vector_store(resource.name))}:{PORT}"


def build(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the children of the managed Milvus; none if the Milvus is external."""
    managed = resource.spec.vector_store.own
    if managed is None:
        return []
    if managed.is_cluster:
        return milvus_cluster.build(resource, context, managed)
    name = names.vector_store(resource.name)
    ports = {"milvus": PORT, "metrics": METRICS_PORT}
    return [
        _config_map(resource, name),
        services.service(resource, COMPONENT, name=name, ports=ports),
        stateful.stateful_set(
            resource,
            COMPONENT,
            name=name,
            storage=managed.storage,
            template=_template(resource, context, managed, name),
        ),
    ]


def _config_map(resource: RagDeployment, name: str) -> Manifest:
    return manifest(
        resource,
        api_version="v1",
        kind="ConfigMap",
        name=name,
        component=COMPONENT,
        data={ETCD_FILE: _ETCD_CONFIG},
    )


def _template(
    resource: RagDeployment, context: BuildContext, managed: ManagedVectorStore, name: str
) -> pods.Json:
    return pods.template(
        resource,
        COMPONENT,
        annotations={names.CONFIG_CHECKSUM: checksum(_ETCD_CONFIG)},
        placed=managed,
        user=USER,
        group=GROUP,
        volume_group=USER,
        grace_seconds=60,
        containers=[_container(context, managed)],
        volumes=[
            {"name": "config", "configMap": {"name": name}},
            pods.empty_dir("tmp"),
            pods.empty_dir("run"),
        ],
    )


def _container(context: BuildContext, managed: ManagedVectorStore) -> pods.Json:
    healthy = pods.http_get("/healthz", "metrics")
    return {
        "name": "milvus",
        "image": reference(managed.image, default=context.images.milvus),
        "imagePullPolicy": str(managed.image.pull_policy),
        "args": ["milvus", "run", "standalone"],
        "env": [{"name": name, "value": value} for name, value in _ENVIRONMENT.items()],
        "ports": [pods.port("milvus", PORT), pods.port("metrics", METRICS_PORT)],
        # It may have to replay its log: ten minutes before it counts as stuck.
        "startupProbe": pods.probe(healthy, every=3, failures=200, timeout=5),
        "livenessProbe": pods.probe(healthy, every=15, failures=6, timeout=10),
        "readinessProbe": pods.probe(healthy, every=5, failures=3, timeout=5),
        **pods.resources(managed.resources),
        "securityContext": pods.container_security(),
        "volumeMounts": [
            pods.mount(stateful.DATA, DATA_PATH),
            pods.mount("config", CONFIG_PATH, read_only=True),
            pods.mount("tmp", "/tmp"),  # noqa: S108 -- a path in the container
            pods.mount("run", "/run/milvus"),
        ],
    }
