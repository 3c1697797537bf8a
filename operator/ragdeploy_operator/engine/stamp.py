"""The digest that a child carries of its manifest, to notice an edit and a field taken out."""

from __future__ import annotations

import json
from hashlib import sha256

from ragdeploy_operator.build import Manifest
from ragdeploy_operator.objects import Json

HASH = "ragdeploy.io/applied-hash"
"""Annotation: digest of the manifest that was applied last."""


def stamped(manifest: Manifest) -> Json:
    """Add the digest of the manifest to it.

    Left out of the digest are the number of replicas, which changes hands without anything
    having been edited, and the values of a Secret, which a digest would let others guess.
    """
    content = dict(manifest)
    if manifest["kind"] == "Secret":
        content["data"] = sorted(manifest.get("data", ()))
    if "spec" in manifest:
        content["spec"] = {k: v for k, v in manifest["spec"].items() if k != "replicas"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    metadata = manifest["metadata"]
    annotations = {
        **metadata.get("annotations", {}),
        HASH: sha256(text.encode()).hexdigest()[:32],
    }
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def stamp_of(obj: Json) -> str:
    """The digest that an object carries; empty if it has none."""
    stamp: str = obj["metadata"].get("annotations", {}).get(HASH, "")
    return stamp


def content(manifest: Json) -> Json:
    """The manifest in the form that a store keeps: without what every object of a kind shares."""
    return {name: value for name, value in manifest.items() if name not in ("apiVersion", "kind")}
