"""What a build needs to know besides the resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ragdeploy_operator.api import SecretUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Image references that apply where the resource names none."""

    service: str
    redis: str
    milvus: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """Facts from the cluster and the operator's own settings.

    ``kinds`` are the optional kinds that the cluster serves ("ServiceMonitor").
    ``api_key`` and ``cache_password`` are what the generated Secrets hold: the
    live values, or fresh random ones of letters, digits, - and _ if there are
    none. ``secret_checksums`` has a checksum for each of ``spec.secret_uses()``
    whose Secret is there. ``api_replicas`` and ``indexer_replicas`` are the numbers
    to write into the Deployments; None leaves them to the autoscaler. With
    ``stores_asleep`` nobody needs the stores, and they get no pods.
    """

    images: Images
    api_key: str = field(repr=False)
    cache_password: str = field(repr=False)
    api_replicas: int | None
    indexer_replicas: int | None
    kinds: frozenset[str] = frozenset()
    stores_asleep: bool = False
    secret_checksums: Mapping[SecretUse, str] = field(default_factory=dict)
