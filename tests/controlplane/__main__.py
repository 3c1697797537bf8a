"""``python -m tests.controlplane``: a control plane to try things on by hand.

Prints the path of a kubeconfig and runs until Ctrl-C; ``build`` only makes sure
that the programs are there, so that a later run does not wait for them.
"""

from __future__ import annotations

import argparse
import signal

from tests.controlplane.binaries import find_binaries
from tests.controlplane.cluster import ControlPlane


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    parser.add_argument("action", nargs="?", choices=["run", "build"], default="run")
    parser.add_argument(
        "--pods-run",
        nargs="*",
        metavar="NAMESPACE",
        default=[],
        help="namespaces whose pods are said to be ready by themselves",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    binaries = find_binaries()
    if options.action == "build":
        print(binaries.folder)
        return
    with ControlPlane.start(binaries=binaries) as cluster:
        for namespace in options.pods_run:
            cluster.kubelet.run(namespace)
        print(f"ready in {cluster.started_in:.1f} s; its files are in {cluster.folder}")
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        while True:
            signal.pause()


def _end(*_: object) -> None:
    """Leave through the block that stops the control plane."""
    raise SystemExit(0)


if __name__ == "__main__":
    main()
