"""``make bench-operator``: the operator's writes, reads and times on a real API server.

Every figure but the memory and the processor time comes from the API server's audit
log. The pods are said to be ready by a paper kubelet; all else is real.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.operator import measures
from benchmarks.operator.scene import Scene
from benchmarks.report import print_report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2, help="length of the idle time")
    parser.add_argument("--resources", type=int, default=30, help="how many are timed")
    options = parser.parse_args()

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
        kubernetes = scene.cluster.api.request("GET", "/version")["gitVersion"]
    setting = f"Kubernetes {kubernetes}; control plane and operator share the machine"
    print_report(rows, setting=setting)


def _say(what: str) -> None:
    print(f"bench-operator: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
