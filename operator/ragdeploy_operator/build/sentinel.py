"""The managed Redis of three nodes: a Sentinel beside each, who agree on the master.

https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/

The nodes know each other by name, because a pod that is made anew has another address. What runs
in them are the files of ``scripts/``; the tests run the same ones on loopback.
"""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import quote

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names, pods
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.credentials import CACHE_PASSWORD, REDIS_PORT
from ragdeploy_operator.build.pods import Json
from ragdeploy_operator.build.services import host

NODES = 3
SENTINEL_PORT = 26379
MASTER = "ragdeploy"
"""What the Sentinels call the master."""

SCRIPTS = {
    file.name: file.read_text()
    for file in sorted(files(__package__).joinpath("scripts").iterdir(), key=lambda one: one.name)
    if file.name.endswith(".sh")
}

CONFIG = """\
replica-announce-port {port}
min-replicas-to-write 1
min-replicas-max-lag 10
"""
"""A master that is cut off from the others takes no writes, which nobody would see."""


def node_names(resource: RagDeployment) -> list[str]:
    """Names by which the nodes are reached, the first master first."""
    name = names.cache(resource.name)
    return [f"{name}-{number}.{host(resource, name)}" for number in range(NODES)]


def url(resource: RagDeployment, password: str) -> str:
    """Where the service asks for the master (see the setting ``redis_url``)."""
    sentinels = ",".join(f"{node}:{SENTINEL_PORT}" for node in node_names(resource))
    return f"redis+sentinel://:{quote(password, safe='')}@{sentinels}/{MASTER}/0"


def environment(resource: RagDeployment, *, secret: str) -> list[Json]:
    """Write the variables that the scripts read."""
    own = names.cache(resource.name)
    return [
        pods.from_secret("REDISCLI_AUTH", name=secret, key=CACHE_PASSWORD),
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "ME", "value": f"$(POD_NAME).{host(resource, own)}"},
        {"name": "NODES", "value": " ".join(node_names(resource))},
        {"name": "MASTER", "value": MASTER},
        {"name": "REDIS_PORT", "value": str(REDIS_PORT)},
        {"name": "SENTINEL_PORT", "value": str(SENTINEL_PORT)},
        {"name": "DATA", "value": "/data"},
    ]


def container(
    context: BuildContext, *, folder: str, environment: list[Json], mounts: list[Json]
) -> Json:
    """Make the container of the Sentinel; ``folder`` is where the scripts are."""
    answers = {"exec": {"command": ["redis-cli", "-p", str(SENTINEL_PORT), "ping"]}}
    listens = {"tcpSocket": {"port": "sentinel"}}
    return {
        "name": "sentinel",
        "image": context.images.redis,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", f"{folder}/start-sentinel.sh"],
        "env": environment,
        "ports": [pods.port("sentinel", SENTINEL_PORT)],
        # It may wait for a master for minutes, so it is asked only once it has begun to listen.
        "startupProbe": pods.probe(listens, every=5, failures=60, timeout=5),
        "livenessProbe": pods.probe(listens, every=10, failures=6, timeout=5),
        "readinessProbe": pods.probe(answers, every=5, failures=3, timeout=3),
        "lifecycle": steps_down(folder),
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": pods.container_security(),
        "volumeMounts": mounts,
    }


def steps_down(folder: str) -> Json:
    """Make the hook that hands the master's part over before a container stops.

    Both containers have it: each is told to stop as soon as its own hook has ended.
    """
    return {"preStop": {"exec": {"command": ["sh", f"{folder}/step-down.sh"]}}}
