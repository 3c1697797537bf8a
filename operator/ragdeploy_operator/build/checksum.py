"""Checksums that make a workload roll when what its pods have read changes."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any


def checksum(content: Any) -> str:
    """Make a short digest of JSON content; the order of keys does not matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:32]
