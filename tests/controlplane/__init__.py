"""A real kube-apiserver, etcd and kube-controller-manager for tests."""

from tests.controlplane.api import Api, ApiError
from tests.controlplane.audit import AuditEntry, AuditLog, Entries
from tests.controlplane.binaries import BinariesMissing
from tests.controlplane.cluster import DEFAULT_CONTROLLERS, ControlPlane
from tests.controlplane.credentials import User
from tests.controlplane.paper_kubelet import PaperKubelet

__all__ = [
    "DEFAULT_CONTROLLERS",
    "Api",
    "ApiError",
    "AuditEntry",
    "AuditLog",
    "BinariesMissing",
    "ControlPlane",
    "Entries",
    "PaperKubelet",
    "User",
]
