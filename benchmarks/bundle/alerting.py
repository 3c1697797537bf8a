"""Observability: Prometheus scrapes all that should be scraped, and an alert fires and resolves."""

from __future__ import annotations

import time
from collections import Counter

import httpx

from benchmarks.bundle.scene import OPERATOR_NAMESPACE, Result, Scene, say
from ragdeploy_operator.api import PAUSE
from tests.e2e.bundle import Bundle
from tests.e2e.kubectl import Json, Kubectl
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
    prometheus = Kubectl(scene.kubectl.context, "monitoring")
    with (
        prometheus.port_forward("pod/prometheus-kind-0", 9090) as url,
        httpx.Client(base_url=f"{url}/api/v1", timeout=30) as api,
    ):
        wanted = {
            (scene.kubectl.namespace, f"{bundle.name}-api"): 2,
            (scene.kubectl.namespace, f"{bundle.name}-indexer"): 1,
            (OPERATOR_NAMESPACE, "ragdeploy-operator-metrics"): 2,
        }
        eventually(lambda: _up(api, wanted), what=f"{wanted} are scraped", timeout=180, interval=2)
        for (_namespace, job), number in wanted.items():
            result.rows.append((f"targets of {job} that are up", str(number)))
        names = sorted(_alerts_of(api, scene.kubectl.namespace))
        result.rows.append(("alerts of the application that Prometheus has", ", ".join(names)))
        result.must(_ALERT in names, f"Prometheus has no {_ALERT}")
        result.rows += _fire(scene, bundle, api)
    scene.remove(bundle)
    return result


def _fire(scene: Scene, bundle: Bundle, api: httpx.Client) -> list[tuple[str, str]]:
    """Stop the API behind the operator's back, and let the operator put it right."""
    kubectl, ragd = scene.kubectl, f"ragd/{bundle.name}"
    kubectl("annotate", ragd, f"{PAUSE}=true")
    kubectl("wait", "--for=condition=Paused", ragd, "--timeout=60s", timeout=70)
    began = time.monotonic()
    kubectl("scale", f"deployment/{bundle.name}-api", "--replicas=0")
    say(f"  waiting for {_ALERT} to fire")
    eventually(
        lambda: _state(api, kubectl.namespace) == "firing",
        what=f"{_ALERT} fires",
        timeout=_WAIT * 2,
        interval=2,
    )
    fired = time.monotonic() - began
    began = time.monotonic()
    kubectl("annotate", ragd, f"{PAUSE}-")
    eventually(
        lambda: _state(api, kubectl.namespace) is None,
        what=f"{_ALERT} is resolved",
        timeout=180,
        interval=1,
    )
    resolved = time.monotonic() - began
    return [
        (f"{_ALERT} fires after the API is gone", f"{fired:.0f} s, of which {_WAIT} are asked for"),
        (f"{_ALERT} is resolved after `resume`", f"{resolved:.0f} s"),
    ]


def _up(api: httpx.Client, wanted: dict[tuple[str, str], int]) -> bool:
    targets = _get(api, "/targets")["activeTargets"]
    found = Counter(
        (target["labels"]["namespace"], target["labels"]["job"])
        for target in targets
        if target["health"] == "up"
    )
    return all(found[key] == number for key, number in wanted.items())


def _alerts_of(api: httpx.Client, namespace: str) -> set[str]:
    groups = _get(api, "/rules?type=alert")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule["name"] for rule in rules if namespace in rule["query"]}


def _state(api: httpx.Client, namespace: str) -> str | None:
    """State of the alert: pending, firing, or None."""
    for alert in _get(api, "/alerts")["alerts"]:
        labels = alert["labels"]
        if labels["alertname"] == _ALERT and labels.get("namespace") == namespace:
            return str(alert["state"])
    return None


def _get(api: httpx.Client, path: str) -> Json:
    data: Json = api.get(path).raise_for_status().json()["data"]
    return data
