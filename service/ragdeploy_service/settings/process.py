"""The process: where it listens, what it takes at most, what it writes about itself."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from pydantic import BaseModel, Field

from ragdeploy_service.settings.naming import ADDRESS_PATTERN, also


class Role(StrEnum):
    """What a process does; several processes of one service share Redis and Milvus."""

    ALL = "all"
    API = "api"
    INDEXER = "indexer"


class LogFormat(StrEnum):
    """How log lines are written to standard error."""

    TEXT = "text"
    JSON = "json"


class ProcessSettings(BaseModel):
    """How a process runs and what it takes at most."""

    role: Role = Field(
        Role.ALL,
        description="`api` takes index jobs in and leaves them to an `indexer`, which answers "
        "no questions; `all` does both.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        8000, ge=1, le=65535, validation_alias=also("port", "PORT"), description="Port."
    )
    data_dir: Path = Field(
        Path(".ragdeploy"), description="Folder for the embedded store and fetched models."
    )
    config_dir: Path | None = Field(
        None,
        description="Folder with settings that count as soon as a file changes, each under the "
        "name of its variable; see the documentation for which ones these are.",
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

    @cached_property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class TracingSettings(BaseModel):
    """Where traces go."""

    tracing_endpoint: str | None = Field(
        None,
        pattern=ADDRESS_PATTERN,
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
