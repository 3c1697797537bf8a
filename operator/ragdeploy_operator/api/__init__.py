"""The RagDeployment resource as typed, frozen data."""

from ragdeploy_operator.api.common import SecretUse
from ragdeploy_operator.api.status import ComponentStatus, Condition, ConditionStatus, Status
from ragdeploy_operator.api.v1alpha1 import (
    API_VERSION,
    GROUP,
    KIND,
    PAUSE,
    PLURAL,
    VERSION,
    RagDeployment,
    Spec,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PAUSE",
    "PLURAL",
    "VERSION",
    "ComponentStatus",
    "Condition",
    "ConditionStatus",
    "RagDeployment",
    "SecretUse",
    "Spec",
    "Status",
]
