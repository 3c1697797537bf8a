"""``make e2e-load`` and ``make drill``: the whole bundle on kind, under load and in trouble."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

from benchmarks.bundle.alerting import alerting
from benchmarks.bundle.autoscaling import autoscaling
from benchmarks.bundle.changes import changes
from benchmarks.bundle.dashboard import dashboard
from benchmarks.bundle.faults import faults
from benchmarks.bundle.operations import operations
from benchmarks.bundle.scene import Result, Scene, say, scene
from benchmarks.bundle.servers import servers
from benchmarks.report import print_table


def main() -> None:
    """Run the experiments and print a table for each; ends with 1 if anything must not be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bundle", description=__doc__)
    parser.add_argument("what", choices=["load", "drill"])
    parser.add_argument("--only", nargs="+", help="names of experiments")
    parser.add_argument("--minutes", type=float, default=10, help="length of the faults")
    parser.add_argument("--seed", type=int, default=1, help="which faults, and when")
    options = parser.parse_args()
    experiments: dict[str, dict[str, Callable[[Scene], Result]]] = {
        "load": {"autoscaling": autoscaling, "changes": changes, "servers": servers},
        "drill": {
            "faults": partial(faults, minutes=options.minutes, seed=options.seed),
            "operations": operations,
            "alerting": alerting,
            "dashboard": dashboard,
        },
    }
    chosen = experiments[options.what]
    unknown = set(options.only or ()) - set(chosen)
    if unknown:
        parser.error(f"--only: no {', '.join(unknown)}; there are {', '.join(chosen)}")
    failures = []
    for name, experiment in chosen.items():
        if options.only and name not in options.only:
            continue
        say(f"{name}")
        with scene() as where:
            result = experiment(where)
            nodes = len(where.kubectl.list("nodes"))
        setting = f"kind with {nodes} nodes on this machine; {result.note}".rstrip("; ")
        print(f"\n## {result.name}")
        print_table(result.headings, result.rows, setting=setting)
        failures += result.failures
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
