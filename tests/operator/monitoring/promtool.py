"""Prometheus's own tool for rules, and counters in its notation."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.operator.unit.resources import Json


def promtool(*arguments: str | Path) -> str:
    """Run it; what it says.

    Raises:
        AssertionError: it is not content.
    """
    program = shutil.which("promtool")
    if program is None:
        missing = "no promtool on PATH (Debian: apt-get install prometheus)"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"{missing}; in CI it must be there")
        pytest.skip(missing)
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def counter(*parts: tuple[float, int]) -> str:
    """A counter that grows by so much a minute, for so many minutes, and so on."""
    written, value = [], 0.0
    for per_minute, minutes in parts:
        written.append(f"{value:.10g}+{per_minute:.10g}x{minutes - 1}")
        value += per_minute * minutes
    return " ".join(written)


def check(folder: Path, groups: Sequence[Json]) -> None:
    """Let it check the syntax of rules and of the templates in them."""
    promtool(
        "check", "rules", "--lint-fatal", _write(folder / "rules.yaml", {"groups": list(groups)})
    )


def expect_firing(
    folder: Path,
    groups: Sequence[Json],
    *,
    series: dict[str, str],
    at: int,
    firing: Sequence[tuple[str, dict[str, str]]],
) -> None:
    """Let it evaluate rules every minute and compare which alerts fire.

    Args:
        folder: For its files.
        groups: The rules.
        series: What was scraped or recorded each minute, in its notation, by selector.
        at: Minutes after the beginning.
        firing: Name and further labels of each alert that is to fire then.
    """
    samples = [
        {"labels": _metric({"alertname": name, **labels}), "value": 1} for name, labels in firing
    ]
    expression = 'sum by (alertname, severity, window, part) (ALERTS{alertstate="firing"})'
    test = {"expr": expression, "eval_time": f"{at}m", "exp_samples": samples}
    _evaluate(folder, groups, series, every="1m", tests=[test])


def expect_true(
    folder: Path,
    groups: Sequence[Json],
    *,
    series: dict[str, str],
    at: int,
    expressions: Sequence[str],
) -> None:
    """Let it evaluate rules once, ``at`` minutes, and check comparisons with ``bool``."""
    tests = [
        {
            "expr": f"sum ({expression})",
            "eval_time": f"{at}m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expression in expressions
    ]
    _evaluate(folder, groups, series, every=f"{at}m", tests=tests)


def _evaluate(
    folder: Path, groups: Sequence[Json], series: dict[str, str], *, every: str, tests: list[Json]
) -> None:
    content = {
        "rule_files": [str(_write(folder / "rules.yaml", {"groups": list(groups)}))],
        "evaluation_interval": every,
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values} for name, values in series.items()
                ],
                "promql_expr_test": tests,
            }
        ],
    }
    promtool("test", "rules", _write(folder / "test.yaml", content))


def _metric(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def _write(file: Path, content: Json) -> Path:
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=1000))
    return file
