"""From a resource to the manifests of its children, without side effects.

The same resource and context always give the same manifests: no clock, no
randomness, no I/O. What the cluster knows comes in through the context.
"""

from __future__ import annotations

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build.context import BuildContext, Images
from ragdeploy_operator.build.manifest import Manifest

__all__ = ["BuildContext", "Images", "Manifest", "build"]


def build(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Build all children of ``resource``, in the order in which to apply them."""
    return []
