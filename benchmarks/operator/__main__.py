"""``make bench-operator``: the operator's writes, reads and times on a real API server.

Every figure but the memory and the processor time comes from the API server's audit
log. The pods are said to be ready by a paper kubelet; all else is real.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.operator import measures
from benchmarks.operator.account import account
from benchmarks.operator.scale import CONTROLLERS, Crowd
from benchmarks.operator.scene import Scene
from benchmarks.report import Row, print_report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2, help="length of the idle time")
    parser.add_argument("--resources", type=int, default=30, help="how many are timed")
    parser.add_argument(
        "--account", action="store_true", help="where the time of one create goes instead"
    )
    parser.add_argument("--scale", action="store_true", help="many resources instead")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[100, 500, 1000], help="how many, step by step"
    )
    parser.add_argument("--samples", type=int, default=1000, help="deletions of children")
    options = parser.parse_args()
    measure = _scale if options.scale else _account if options.account else _counts
    rows, kubernetes = measure(options)
    setting = f"Kubernetes {kubernetes}; control plane and operator share the machine"
    print_report(rows, setting=setting)


def _scale(options: argparse.Namespace) -> tuple[list[Row], str]:
    rows: list[Row] = []
    with Scene.set(controllers=CONTROLLERS) as scene:
        crowd = Crowd(scene)
        for more in (
            crowd.rows_of_growth(options.sizes),
            crowd.rows_at_rest(options.minutes),
            crowd.rows_of_edits(min(20, *options.sizes)),
            crowd.rows_of_returns(options.samples),
            crowd.rows_of_restart(),
        ):
            for row in more:
                _say(f"{row.measure}: {row.value}")
                rows.append(row)
        return rows, _version(scene)


def _counts(options: argparse.Namespace) -> tuple[list[Row], str]:
    with Scene.set() as scene:
        _say("one resource, until it is ready")
        first = scene.create_namespace()
        rows, children = measures.writes_of_one(scene, first)
        _say("the same again")
        rows += measures.writes_without_a_change(scene, first)
        _say(f"{options.resources} resources one by one, and as many at once")
        one_by_one = [scene.create_namespace() for _ in range(options.resources)]
        at_once = [scene.create_namespace() for _ in range(options.resources)]
        rows += measures.times_one_by_one(scene, one_by_one, children)
        rows += measures.times_at_once(scene, at_once, children)
        _say(f"{options.minutes:g} idle minutes")
        rows += measures.idle(scene, [first, *one_by_one, *at_once], options.minutes)
        return rows, _version(scene)


def _account(options: argparse.Namespace) -> tuple[list[Row], str]:
    with Scene.set() as scene:
        first = scene.create_namespace()
        _, children = measures.writes_of_one(scene, first)
        return account(scene, options.resources, children), _version(scene)


def _version(scene: Scene) -> str:
    version: str = scene.cluster.api.request("GET", "/version")["gitVersion"]
    return version


def _say(what: str) -> None:
    print(f"bench-operator: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
