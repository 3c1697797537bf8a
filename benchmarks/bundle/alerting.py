"""Observability: Prometheus scrapes all that should be scraped, and an alert fires and resolves."""

from __future__ import annotations

import time
from collections import Counter

from benchmarks.bundle.prometheus import Prometheus
from benchmarks.bundle.scene import OPERATOR_NAMESPACE, Result, Scene, say
from ragdeploy_operator.api import PAUSE
from tests.e2e.bundle import Bundle
from tests.support.waiting import eventually

_ALERT = "RagDown"
_WAIT = 5 * 60
"""Seconds for which the API must be gone until that alert fires; see build/alerts.py."""


def alerting(scene: Scene) -> Result:
    """Look at Prometheus' targets and rules, take the API away, and give it back."""
    result = Result(
        "Observability", ("what", "found"), note="Prometheus by the Prometheus Operator"
    )
    bundle = scene.deploy(
        "watched",
        api={"autoscaling": {"enabled": False}, "replicas": 2},
        monitoring={"serviceMonitor": {"interval": "10s"}},
    )
    namespace = scene.kubectl.namespace
    with Prometheus.reached(scene.kubectl.context) as prometheus:
        wanted = Counter(
            {
                (namespace, f"{bundle.name}-api"): 2,
                (namespace, f"{bundle.name}-indexer"): 1,
                (OPERATOR_NAMESPACE, "ragdeploy-operator-metrics"): 2,
            }
        )
        eventually(
            lambda: prometheus.up() >= wanted,
            what=f"{wanted} are scraped",
            timeout=180,
            interval=2,
        )
        for (_namespace, job), number in wanted.items():
            result.rows.append((f"targets of {job} that are up", str(number)))
        alerts = prometheus.alerts_of(namespace)
        result.rows.append(("alerts on the application", str(len(alerts))))
        result.must(_ALERT in alerts, f"Prometheus has no {_ALERT}")
        result.rows.extend(_fire(scene, bundle, prometheus))
    scene.remove(bundle)
    return result


def _fire(scene: Scene, bundle: Bundle, prometheus: Prometheus) -> list[tuple[str, str]]:
    """Stop the API behind the operator's back, and let the operator put it right."""
    kubectl, ragd = scene.kubectl, f"ragd/{bundle.name}"
    kubectl("annotate", ragd, f"{PAUSE}=true")
    kubectl("wait", "--for=condition=Paused", ragd, "--timeout=60s", timeout=70)
    began = time.monotonic()
    kubectl("scale", f"deployment/{bundle.name}-api", "--replicas=0")
    say(f"  waiting for {_ALERT} to fire")
    eventually(
        lambda: prometheus.state(_ALERT, kubectl.namespace) == "firing",
        what=f"{_ALERT} fires",
        timeout=_WAIT * 2,
        interval=2,
    )
    fired = time.monotonic() - began
    began = time.monotonic()
    kubectl("annotate", ragd, f"{PAUSE}-")
    eventually(
        lambda: prometheus.state(_ALERT, kubectl.namespace) is None,
        what=f"{_ALERT} is resolved",
        timeout=180,
        interval=1,
    )
    resolved = time.monotonic() - began
    return [
        (f"{_ALERT} fires after the API is gone", f"{fired:.0f} s, of which {_WAIT} are asked for"),
        (f"{_ALERT} is resolved after `resume`", f"{resolved:.0f} s"),
    ]
