"""How many processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path

# One event loop cannot feed more; each worker also holds working memory of its own.
_MOST = 16


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Count processors within the affinity mask and the cgroup's quota, 1 to 16.

    A container with a limit of 2 on a node of 64 processors still sees 64 of
    them; threads beyond the limit would be throttled, and the event loop with
    them. A limit of 1.5 gives 1, for the same reason.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        count = os.cpu_count() or 1
    if (quota := _quota(cgroup)) is not None:
        count = min(count, int(quota))
    return max(1, min(count, _MOST))


def _quota(cgroup: Path) -> float | None:
    """Processors that the cgroup allows, from version 2's ``cpu.max`` or version 1's files."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in {"max", "-1"}:
        return None
    return int(limit) / int(period)
