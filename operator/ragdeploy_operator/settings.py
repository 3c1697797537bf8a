"""The operator's own configuration; each field is read from ``RAGDEPLOY_<NAME>``."""

from __future__ import annotations

import socket
from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ragdeploy_operator.build import Images


class LogFormat(StrEnum):
    """How log lines are written to standard error."""

    TEXT = "text"
    JSON = "json"


class OperatorSettings(BaseSettings):
    """Where the operator works, with which images, and how it tells of itself."""

    model_config = SettingsConfigDict(
        env_prefix="RAGDEPLOY_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    service_image: str = Field(
        "ghcr.io/ragdeploy/service:0.1.0", description="Service, where a resource names none."
    )
    redis_image: str = Field(
        "docker.io/library/redis:7.0-bookworm", description="Redis of the managed caches."
    )
    milvus_image: str = Field(
        "docker.io/milvusdb/milvus:v2.3.5", description="Milvus, where a resource names none."
    )

    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Namespaces to look after, separated by commas; all if empty."
    )
    namespace: str = Field("default", description="Where the Lease is: the operator's own.")
    lease_name: str = Field("ragdeploy-operator", description="Replicas with the same are one.")
    pod_name: str = Field(
        default_factory=socket.gethostname, description="Name of this replica in Lease and Events."
    )

    http_host: str | None = Field(
        None,
        description="Address for /healthz, /readyz and /metrics; all of IPv4 and IPv6 if none.",
    )
    http_port: int = Field(8080, ge=1, le=65535, description="Port for the same.")
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: LogFormat = LogFormat.JSON

    workers: int = Field(10, ge=1, le=100, description="Resources worked on at the same time.")
    resync_seconds: float = Field(
        600.0, gt=0, description="Every resource is looked at again this often, in seconds."
    )

    visit_seconds: float = Field(
        30.0,
        ge=0,
        description="Every application is asked this often how many documents it has, in seconds; "
        "never if 0.",
    )

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name for part in value.split(",") if (name := part.strip()))
        return value

    @property
    def images(self) -> Images:
        """Images where a resource names none."""
        return Images(service=self.service_image, redis=self.redis_image, milvus=self.milvus_image)
