"""Where answers, jobs and passages are kept."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr

from ragdeploy_service.settings.naming import NAME_PATTERN, also


class CacheSettings(BaseModel):
    """The answer cache and the queue of jobs."""

    cache_enabled: bool = Field(True, description="Keep answers.")
    cache_ttl_seconds: int = Field(
        3600, ge=1, le=31_536_000, description="How long an answer is good for, in seconds."
    )
    cache_stale_seconds: int = Field(
        3600,
        ge=0,
        le=31_536_000,
        description="How much longer an answer is kept than it is good for, in seconds; given out, "
        "marked, only when no other can be made. It may rest on documents that are gone since.",
    )
    semantic_cache_enabled: bool = Field(
        False,
        description="Give the answer to one question to another that means the same, if both find "
        "the same passages and no guard tells them apart.",
    )
    semantic_cache_min_similarity: float = Field(
        0.9, ge=0.5, le=1, description="Least cosine similarity of two such questions."
    )
    redis_url: SecretStr | None = Field(
        None,
        validation_alias=also("redis_url", "REDIS_URL"),
        description="Redis for the answer cache and the jobs; both stay here when absent. Behind "
        "Sentinels: redis+sentinel://:password@host:26379,host:26379/name/0, where name is what "
        "they call the master.",
    )
    redis_min_replicas: int = Field(
        1,
        ge=0,
        le=10,
        description="Behind Sentinels: replicas that must have a job before it counts as taken in; "
        "with 0, one may be lost with its master.",
    )


class VectorStoreSettings(BaseModel):
    """Milvus, or Milvus Lite."""

    milvus_uri: str | None = Field(
        None,
        pattern=r"^(https?|tcp)://",
        validation_alias=also("milvus_uri", "MILVUS_URI"),
        description="Milvus server; Milvus Lite in data_dir when absent.",
    )
    milvus_token: SecretStr | None = Field(
        None,
        validation_alias=also("milvus_token", "MILVUS_TOKEN"),
        description="Its token, or user:password.",
    )
    milvus_database: str = Field("default", min_length=1, description="Its database.")
    milvus_prefix: str = Field(
        "rag",
        pattern=r"^[a-z][a-z0-9]{0,31}$",
        description="Begins the name of everything the service keeps in Milvus; services that "
        "share a database and not their documents need different ones.",
    )
    collection: str = Field(
        "documents",
        pattern=NAME_PATTERN,
        description="Collection that is meant where a request names none.",
    )
