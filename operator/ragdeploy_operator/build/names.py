"""Names of the children, and the labels by which they are found."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

LONGEST = 52
"""A StatefulSet's name must leave room for the hash in its pods' label
``controller-revision-hash``: 63 - 11 characters. One limit serves all kinds."""

_LONGEST_MILVUS = 40

NAME_LABEL = "ragdeploy.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "ragdeploy-operator"

LOAD_LABELS = {"app.kubernetes.io/name": "ragdeploy-load"}
"""Of the pod of ``kubectl rag drill`` that asks questions. It has none of the bundle's labels, or
it would be taken for a part of it."""

CONFIG_CHECKSUM = "ragdeploy.io/config-checksum"
SECRETS_CHECKSUM = "ragdeploy.io/secrets-checksum"


class Component(StrEnum):
    """The parts of a bundle, as the label ``app.kubernetes.io/component`` names them."""

    API = "api"
    INDEXER = "indexer"
    CACHE = "cache"
    VECTOR_STORE = "vector-store"


def child_name(name: str, suffix: str) -> str:
    """``<name>-<suffix>`` in at most 52 characters.

    A longer name is cut, and a hash of the whole takes the place of the rest,
    so that two long names with the same beginning stay apart.
    """
    plain = f"{name}-{suffix}"
    if len(plain) <= LONGEST:
        return plain
    digest = _digest(name)
    kept = name[: LONGEST - len(suffix) - len(digest) - 2].rstrip("-")
    return f"{kept}-{digest}-{suffix}"


def api(name: str) -> str:
    """Deployment, Service, HorizontalPodAutoscaler, PodDisruptionBudget, ... of the API."""
    return child_name(name, Component.API)


def indexer(name: str) -> str:
    """Deployment, HorizontalPodAutoscaler and PodDisruptionBudget of the indexer."""
    return child_name(name, Component.INDEXER)


def config(name: str) -> str:
    """ConfigMap with the service's settings."""
    return child_name(name, "config")


def api_key(name: str) -> str:
    """Secret with the generated API key."""
    return child_name(name, "api-key")


def dashboard(name: str) -> str:
    """ConfigMap with the dashboard for Grafana."""
    return child_name(name, "dashboard")


def certificate(name: str) -> str:
    """Secret with the certificate of the Ingress, where the resource names none."""
    return child_name(name, "tls")


def egress(name: str, digest: str) -> str:
    """NetworkPolicy for addresses outside of the bundle; ``digest`` is that of its content."""
    return child_name(name, f"egress-{digest}")


def cache(name: str) -> str:
    """StatefulSet, Service, ConfigMap and Secret of the managed Redis."""
    return child_name(name, Component.CACHE)


def vector_store(name: str) -> str:
    """StatefulSet, Service and ConfigMap of the managed Milvus."""
    return child_name(name, Component.VECTOR_STORE)


def milvus(name: str) -> str:
    """Milvus resource of the Milvus Operator, which names what it makes after it.

    Among that are Helm releases such as ``<name>-pulsar``, of at most 53 characters.
    """
    if len(name) <= _LONGEST_MILVUS:
        return name
    digest = _digest(name)
    return f"{name[: _LONGEST_MILVUS - len(digest) - 1].rstrip('-')}-{digest}"


def selector(name: str, component: Component | None = None) -> dict[str, str]:
    """Labels that select the objects of one resource, or of one of its components."""
    labels = {NAME_LABEL: name}
    if component is not None:
        labels[COMPONENT_LABEL] = str(component)
    return labels


def labels(name: str, component: Component) -> dict[str, str]:
    """All labels of a child."""
    return {
        "app.kubernetes.io/name": "ragdeploy",
        "app.kubernetes.io/part-of": "ragdeploy",
        MANAGED_BY_LABEL: MANAGER,
        **selector(name, component),
    }


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:8]
