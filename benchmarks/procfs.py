"""What a process has used, as the kernel counts it (Linux)."""

from __future__ import annotations

import os
from pathlib import Path


def processor_seconds(pid: int) -> float:
    """Seconds of all its threads on a processor, in user and kernel mode (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid: int) -> float:
    """The most memory that it had at once (VmHWM of proc_pid_status(5))."""
    return _megabytes(pid, "VmHWM:")


def resident_megabytes(pid: int) -> float:
    """The memory that it has now (VmRSS of proc_pid_status(5))."""
    return _megabytes(pid, "VmRSS:")


def forget_peak(pid: int) -> None:
    """Let ``peak_megabytes`` count from now (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _megabytes(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no {name} for process {pid}")
