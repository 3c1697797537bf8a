"""What all manifests have in common."""

from __future__ import annotations

from typing import Any

from ragdeploy_operator.api import API_VERSION, KIND, RagDeployment
from ragdeploy_operator.build import names

Manifest = dict[str, Any]
"""A Kubernetes object as JSON: only the fields we own, in the form the API server keeps."""


def manifest(
    resource: RagDeployment,
    *,
    api_version: str,
    kind: str,
    name: str,
    component: names.Component,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """Make a child of ``resource``: labelled, in its namespace, controlled by it."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": resource.namespace,
            "labels": {**(labels or {}), **names.labels(resource.name, component)},
            **({"annotations": dict(annotations)} if annotations else {}),
            "ownerReferences": [owner_reference(resource)],
        },
        **body,
    }


def owner_reference(resource: RagDeployment) -> dict[str, Any]:
    """Reference that makes the garbage collector delete a child with ``resource``."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": resource.name,
        "uid": resource.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
