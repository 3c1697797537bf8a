"""``python -m tests.operator.upgrade.record``: write down what this version makes of resources.

Run at a release, before its version is tagged; the files of released versions stay as they are.
The operator runs on a control plane of its own, and what it applied is taken from the audit log.
"""

from __future__ import annotations

from base64 import b64encode
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from ragdeploy_operator.api import PAUSE
from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.binaries import find_binaries
from tests.controlplane.kinds import RAG_DEPLOYMENT, SECRET
from tests.operator.bundle import Bundle, writes_of_operator
from tests.operator.running import RunningOperator
from tests.operator.upgrade.snapshots import (
    FOLDER,
    IMAGES,
    NAME,
    Snapshot,
    namespace_of,
    resource,
)
from tests.support.operator import install

_LARGE = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}}

SPECS: dict[str, Object] = {
    "minimal": {},
    "production": {
        "image": {"pullSecrets": [{"name": "registry"}]},
        "api": {"autoscaling": {"minReplicas": 3, "maxReplicas": 30}, "resources": _LARGE},
        "indexer": {"autoscaling": {"enabled": True, "maxReplicas": 6}, "resources": _LARGE},
        "llm": {"apiKeySecretRef": {"name": "openai", "key": "api-key"}},
        "retrieval": {"mode": "hybrid", "topK": 5},
        "cache": {"managed": {"replicas": 3, "storage": {"size": "10Gi"}, "resources": _LARGE}},
        "vectorStore": {"managed": {"storage": {"size": "200Gi"}, "resources": _LARGE}},
        "auth": {"apiKeysSecretRef": {"name": "callers"}, "rateLimit": {"requestsPerMinute": 600}},
        "network": {"ingress": {"className": "nginx", "host": "docs.example.test"}},
    },
}
USERS_SECRETS = {
    "production": {"openai": {"api-key": "not-a-key"}, "callers": {"website": "not-a-key-either"}}
}


def main() -> None:
    folder = FOLDER / version("ragdeploy")
    with ControlPlane.start(binaries=find_binaries()) as cluster, TemporaryDirectory() as logs:
        install(cluster)
        with RunningOperator(cluster, folder=Path(logs), settings=IMAGES) as operator:
            operator.wait_leading()
            for name in SPECS:
                file = folder / f"{name}.yaml"
                _record(cluster, operator, name, file)
                print(file.relative_to(Path.cwd()))


def _record(cluster: ControlPlane, operator: RunningOperator, name: str, file: Path) -> None:
    namespace = namespace_of(file)
    cluster.make_namespace(namespace)
    before = cluster.audit.mark()
    secrets = [
        _secret(secret, values, namespace=namespace)
        for secret, values in USERS_SECRETS.get(name, {}).items()
    ]
    for secret in secrets:
        cluster.api.apply(secret)
    body = resource(SPECS[name], namespace=namespace)
    _make_dull_values(cluster, body)
    cluster.api.apply(body)
    docs = Bundle(cluster, namespace, NAME).run()
    docs.wait_condition("Ready", "True")
    operator.wait_idle()

    applied: dict[tuple[str, str], Object] = {}
    for entry in writes_of_operator(cluster.audit.since(before), namespace):
        if entry.verb == "patch" and entry.resource != "ragdeployments":
            applied[entry.resource, entry.name] = entry.body
    for secret in cluster.api.list(
        SECRET, namespace=namespace, selector=f"ragdeploy.io/name={NAME}"
    ):
        applied["secrets", secret["metadata"]["name"]] = _as_applied(secret)
    # sorted, so that the next record differs only where the children do
    children = [_settled(applied[key]) for key in sorted(applied)]
    uid = docs.get()["metadata"]["uid"]
    Snapshot(body, secrets, children).save(file, uid=uid)


def _make_dull_values(cluster: ControlPlane, body: Object) -> None:
    """Make what the operator would make up, so that no scanner takes it for a secret.

    It keeps the values of Secrets that are its own already, so they are made before it may work.
    """
    paused = {**body["metadata"], "annotations": {PAUSE: "true"}}
    made = cluster.api.apply(body | {"metadata": paused})
    owner = {
        "apiVersion": RAG_DEPLOYMENT.api_version,
        "kind": RAG_DEPLOYMENT.kind,
        "name": NAME,
        "uid": made["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {"ragdeploy.io/name": NAME, "app.kubernetes.io/managed-by": "ragdeploy-operator"}
    for name, key in (("api-key", "api-key"), ("cache", "password")):
        secret = _secret(
            f"{NAME}-{name}",
            {key: f"recorded-{key}"},
            namespace=body["metadata"]["namespace"],
        )
        secret["metadata"] |= {"labels": labels, "ownerReferences": [owner]}
        cluster.api.apply(secret)


def _settled(child: Object) -> Object:
    """The manifest without what held for one write only."""
    once = ("uid", "resourceVersion")
    metadata = {key: value for key, value in child["metadata"].items() if key not in once}
    return child | {"metadata": metadata}


def _as_applied(secret: Object) -> Object:
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    metadata = {key: value for key, value in secret["metadata"].items() if key in kept}
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": metadata,
        "type": secret["type"],
        "data": secret["data"],
    }


def _secret(name: str, values: dict[str, str], *, namespace: str) -> Object:
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: _encoded(value) for key, value in values.items()},
    }


def _encoded(value: str) -> str:
    return b64encode(value.encode()).decode()


if __name__ == "__main__":
    main()
