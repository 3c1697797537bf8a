"""The stores: the cache and the vector store, run by us or by others."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from ragdeploy_operator.api.common import (
    SIZE,
    AsInCluster,
    Image,
    Resources,
    SecretKeyRef,
    Storage,
    volume_rules,
)
from ragdeploy_operator.api.model import Model, Rule, setting
from ragdeploy_operator.api.placement import Placement
from ragdeploy_operator.api.quantity import Quantity, number

CACHE_SIZE = "1Gi"
VECTOR_STORE_SIZE = "10Gi"


class CacheStorage(Storage):
    """The volume of the managed Redis."""

    size: Quantity = Field(CACHE_SIZE, description=SIZE)


class ManagedCache(Placement):
    """A Redis of this resource's own, with its data on a volume."""

    replicas: Literal[1, 3] = Field(
        1,
        description="Redis nodes: 1, or 3 of which one is the master, with Sentinels that make "
        "another one the master when it fails. It cannot change later.",
    )
    storage: CacheStorage = Field(
        CacheStorage(), description="Volume for the jobs and the cached answers."
    )
    max_memory: Quantity = Field(
        "256Mi", description="Memory for data; beyond it, cached answers give way, jobs never do."
    )
    resources: Resources = Field(
        Resources(
            requests={"cpu": "25m", "memory": "128Mi"},
            limits={"memory": "512Mi"},
        ),
        description="Resources of one Redis.",
    )

    rules = (
        *Placement.rules,
        Rule(
            cel="quantity(string(self.maxMemory)).compareTo(quantity('1Mi')) >= 0",
            message="cache.managed.maxMemory must be at least 1Mi: nothing at all would mean "
            "no limit to Redis",
            field=".maxMemory",
            holds=lambda self: number(self.max_memory) >= number("1Mi"),
        ),
        Rule(
            cel="!('memory' in self.resources.?limits.orValue({})) || "
            "quantity(string(self.maxMemory)).asApproximateFloat() * 1.5 <= "
            "quantity(string(self.resources.limits['memory'])).asApproximateFloat()",
            message="cache.managed.resources.limits.memory must be at least 1.5 times maxMemory: "
            "Redis needs the rest while it rewrites its log",
            field=".maxMemory",
            holds=lambda self: (
                "memory" not in (limits := self.resources.limits or {})
                or number(self.max_memory) * 3 <= number(limits["memory"]) * 2
            ),
        ),
    )


class ExternalCache(Model):
    """A Redis that somebody else runs."""

    url_secret_ref: SecretKeyRef = Field(
        description="Where its URL is, such as redis://:password@redis.example.com:6379/0."
    )


class Cache(Model):
    """The answer cache, and the Redis behind it."""

    enabled: bool = setting(
        "cache_enabled",
        "Answer repeated questions from the cache. Redis is needed either way, because it also "
        "holds the indexing jobs.",
    )
    ttl_seconds: int = setting("cache_ttl_seconds", "Time that an answer is good for, in seconds.")
    stale_seconds: int = setting(
        "cache_stale_seconds",
        "How much longer an answer is kept than it is good for, in seconds; given out, marked, "
        "only when no other can be made.",
    )
    managed: ManagedCache | None = Field(
        None, description="Run a Redis for this resource; so it is when external is absent too."
    )
    external: ExternalCache | None = Field(None, description="Use a Redis that is there already.")

    rules = (
        *volume_rules(CACHE_SIZE),
        Rule(
            cel="has(self.external) || has(oldSelf.external) || "
            "(has(self.managed) ? self.managed.replicas : 1) == "
            "(has(oldSelf.managed) ? oldSelf.managed.replicas : 1)",
            message="cache.managed.replicas cannot change once the Redis is there, because jobs "
            "would stay behind: make a new resource with the other number",
        ),
    )

    @property
    def own(self) -> ManagedCache | None:
        """The Redis to run, if we run it."""
        return None if self.external else self.managed or ManagedCache()


class VectorStorage(Storage):
    """The volume of the managed Milvus."""

    size: Quantity = Field(VECTOR_STORE_SIZE, description=SIZE)


class VectorStoreMode(StrEnum):
    """How a managed Milvus is run."""

    STANDALONE = "standalone"
    CLUSTER = "cluster"


class MilvusCluster(Model):
    """Parts of the Milvus Operator's resource, passed on as they are."""

    components: AsInCluster | None = Field(
        None,
        description="Replicas, resources and more of each component: "
        "kubectl explain milvus.spec.components.",
    )
    dependencies: AsInCluster | None = Field(
        None,
        description="The etcd, object storage and message stream that it uses, its own or others: "
        "kubectl explain milvus.spec.dependencies.",
    )
    config: AsInCluster | None = Field(
        None, description="Milvus' own settings, as in its milvus.yaml."
    )


class ManagedVectorStore(Placement):
    """A Milvus of this resource's own."""

    mode: VectorStoreMode = Field(
        VectorStoreMode.STANDALONE,
        description="standalone: one pod with its data on a volume. cluster: many pods, by the "
        "Milvus Operator, which must be installed. It cannot change later.",
    )
    image: Image = Field(Image(), description="Image of Milvus.")
    storage: VectorStorage = Field(
        VectorStorage(),
        description="Volume for the indexed documents, in mode standalone; in mode cluster, "
        "cluster.dependencies says where they are.",
    )
    cluster: MilvusCluster | None = Field(None, description="What mode cluster needs to be told.")
    resources: Resources = Field(
        Resources(
            requests={"cpu": "100m", "memory": "512Mi"},
            limits={"memory": "4Gi"},
        ),
        description="Resources of the Milvus pod; in mode cluster, of the pods of each component "
        "that cluster.components gives no others.",
    )

    rules = (
        *Placement.rules,
        Rule(
            cel="!has(self.cluster) || self.mode == 'cluster'",
            message="cluster needs mode cluster: set vectorStore.managed.mode, or leave it out",
            field=".cluster",
            holds=lambda self: self.cluster is None or self.is_cluster,
        ),
    )

    @property
    def is_cluster(self) -> bool:
        """Whether the Milvus Operator runs it."""
        return self.mode is VectorStoreMode.CLUSTER


class ExternalVectorStore(Model):
    """A Milvus, or Zilliz Cloud, that somebody else runs."""

    uri: str = Field(
        pattern=r"^https?://", max_length=2048, description="Address, such as http://milvus:19530."
    )
    token_secret_ref: SecretKeyRef | None = Field(
        None, description="Where the token, or user:password, is."
    )
    database: str = setting("milvus_database", "Database to use.", max_length=255)


class VectorStore(Model):
    """Where the indexed documents are kept."""

    managed: ManagedVectorStore | None = Field(
        None, description="Run a Milvus for this resource; so it is when external is absent too."
    )
    external: ExternalVectorStore | None = Field(
        None, description="Use a Milvus that is there already."
    )

    rules = (
        *volume_rules(VECTOR_STORE_SIZE),
        Rule(
            cel="has(self.external) || has(oldSelf.external) || "
            "(has(self.managed) ? self.managed.mode : 'standalone') == "
            "(has(oldSelf.managed) ? oldSelf.managed.mode : 'standalone')",
            message="vectorStore.managed.mode cannot change once the Milvus is there, because "
            "documents would stay behind: make a new resource with the other mode and index "
            "into it",
        ),
    )

    @property
    def own(self) -> ManagedVectorStore | None:
        """The Milvus to run, if we run it."""
        return None if self.external else self.managed or ManagedVectorStore()
