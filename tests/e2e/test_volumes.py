"""What becomes of the volumes."""

from __future__ import annotations

import pytest

from tests.e2e.bundle import Bundle
from tests.e2e.kubectl import Kubectl
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

VOLUMES = [
    "PersistentVolumeClaim/data-kept-cache-0",
    "PersistentVolumeClaim/data-kept-vector-store-0",
]


def test_volumes_are_kept_where_the_policy_says_so(kubectl: Kubectl) -> None:
    bundle = Bundle(kubectl, "kept")
    bundle.apply({"persistentVolumeClaimPolicy": "Retain"})

    def bound() -> bool:
        claims = kubectl.list("persistentvolumeclaims", selector="ragdeploy.io/name=kept")
        return [claim["status"]["phase"] for claim in claims] == ["Bound", "Bound"]

    eventually(bound, what="both volumes are bound", timeout=120, interval=1)
    kubectl("delete", "ragd", "kept", "--timeout=60s", timeout=70)
    eventually(
        lambda: bundle.children() == VOLUMES,
        what="everything but the volumes is gone",
        timeout=180,
        interval=1,
    )
