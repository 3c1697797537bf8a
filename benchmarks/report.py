"""A plain table of measures, with what it was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

_WIDEST = 60  # characters; a longer value sticks out of its column


@dataclass(frozen=True)
class Row:
    """One measure."""

    measure: str
    value: str
    target: str = ""


def print_report(rows: Iterable[Row], *, setting: str) -> None:
    """Print the rows under the commit, the machine and the setting they belong to."""
    cells = ((row.measure, row.value, row.target) for row in rows)
    print_table(("measure", "value", "target"), cells, setting=setting)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, setting: str) -> None:
    """Print cells under the commit, the machine and the setting they belong to."""
    print(f"\ncommit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    print(
        f"{os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}; {setting}\n"
    )
    cells = [headings, *rows]
    fitting = [row for row in cells if len(row[1]) <= _WIDEST]
    widths = [max(len(row[column]) for row in fitting) for column in range(len(headings))]
    for number, row in enumerate(cells):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _processor() -> str:
    """The processor's name as Linux tells it, or the kind of machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def milliseconds(values: Sequence[float]) -> str:
    """The median and the 99th percentile of times in seconds, as milliseconds."""
    percentiles = quantiles(values, n=100, method="inclusive")
    return f"{percentiles[49] * 1000:.0f} / {percentiles[98] * 1000:.0f} ms"


def commit() -> str:
    """The commit that is checked out, and whether files differ from it."""

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
        return run.stdout.strip()

    # The pictures are what benchmarks draw, this one's too.
    sources = ("--", ":/", ":(top,exclude)docs/pictures")
    changed = git("status", "--porcelain", "--untracked-files=no", *sources)
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
