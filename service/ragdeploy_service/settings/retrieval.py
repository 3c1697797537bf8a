"""What is searched for, in how long, and how documents are cut for it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator


class RetrievalSettings(BaseModel):
    """How passages are made and found."""

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

    batch_max_size: int = Field(10, ge=1, le=256, description="Most questions embedded at once.")
    batch_max_wait_ms: float = Field(
        100.0, ge=0, le=1000, description="Cap on the wait for a batch, in milliseconds."
    )

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.chunk_overlap * 2 > self.chunk_size:
            raise ValueError("chunk_overlap must be at most half of chunk_size")
        return self
