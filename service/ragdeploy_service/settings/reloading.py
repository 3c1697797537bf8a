"""The settings that may change while the service runs."""

from __future__ import annotations

RELOADABLE = (
    "top_k",
    "search_mode",
    "min_score",
    "llm_prompt_template",
    "cache_ttl_seconds",
    "cache_stale_seconds",
    "rate_limit_requests_per_minute",
    "rate_limit_tokens_per_minute",
)
"""Names of the fields. All others are read once, and another value needs another process."""
