"""The dashboard: a bundle at work and in trouble, as its panels show it by a real Prometheus."""

from __future__ import annotations

import json
import re
import time

from benchmarks.bundle.plot import Graph, Line, plot_grid
from benchmarks.bundle.prometheus import Prometheus
from benchmarks.bundle.scene import QUESTIONS, Result, Scene, pages, say
from ragdeploy_kubectl.prober import Prober
from tests.e2e.bundle import Api, Bundle
from tests.e2e.kubectl import Json
from tests.support.waiting import eventually

_SCRAPED_EVERY, _RATE_OVER = "5s", "20s"
_STEP = 5.0
_CALM_RATE, _SURGE_RATE = 5.0, 30.0
_PER_MINUTE = 480
_PHASE = 40
"""Seconds."""


def dashboard(scene: Scene) -> Result:
    """Ask, index, ask more than is allowed, go without a model; then look at every panel."""
    headings = ("panel", "unit", "lines", "largest value")
    note = "Prometheus by the Prometheus Operator; the expressions are those of the ConfigMap"
    result = Result("Dashboard", headings, note=note)
    bundle = scene.deploy(
        "shown",
        api={"autoscaling": {"enabled": False}, "replicas": 2},
        auth={"rateLimit": {"requestsPerMinute": _PER_MINUTE}},
        monitoring={"serviceMonitor": {"interval": _SCRAPED_EVERY}},
    )
    name = f"{bundle.name}-dashboard"
    [text] = scene.kubectl.get("configmap", name)["data"].values()
    with Prometheus.reached(scene.kubectl.context) as prometheus:
        eventually(
            lambda: prometheus.up()[scene.kubectl.namespace, f"{bundle.name}-api"] == 2,
            what="the API is scraped",
            timeout=180,
            interval=2,
        )
        began = time.time()
        _live(scene, bundle)
        graphs = [
            _graph(panel, prometheus, began)
            for panel in json.loads(text)["panels"]
            if panel["type"] != "row"
        ]
    for graph in graphs:
        values = [value for line in graph.lines for _, value in line.points]
        largest = f"{max(values):.4g}" if values else "-"
        result.rows.append((graph.title, graph.unit, str(len(graph.lines)), largest))
        result.must(bool(values), f"the panel {graph.title!r} shows nothing")
    say(f"  {plot_grid('dashboard', graphs, columns=3)}")
    scene.remove(bundle)
    return result


def _live(scene: Scene, bundle: Bundle) -> None:
    """What the panels are to show, one thing after the other."""
    with scene.asking(bundle, rate=_CALM_RATE, suffix="calm") as calm, bundle.api() as api:
        _pass(api, calm)
        say("  documents")
        api.index(pages())
        say("  more questions than the key may ask")
        with scene.asking(bundle, rate=_SURGE_RATE, suffix="surge") as surge:
            surge.wait(_PHASE)
        _pass(api, calm)
        say("  no language model")
        scene.stop_model()
        _until(calm, "degraded")
        _pass(api, calm)
        scene.start_model()
        _until(calm, "answered")
        _pass(api, calm)


def _pass(api: Api, calm: Prober) -> None:
    """Let a phase go by, with questions now and then that a cache may answer."""
    for second in range(_PHASE):
        if second % 2:
            question = {"question": QUESTIONS[second % len(QUESTIONS)]}
            api.client.post("/query", json=question, headers=api.headers)
        calm.wait(1)


def _until(prober: Prober, outcome: str) -> None:
    """Wait for a second in which there is such an outcome."""
    while not getattr(prober.seen(prober.wait(1) - 1), outcome):
        pass


def _graph(panel: Json, prometheus: Prometheus, began: float) -> Graph:
    """What a panel shows from the beginning until now; lines of nothing but NaN are left out."""
    lines = [
        Line(_legend(target["legendFormat"], labels), points)
        for target in panel["targets"]
        for labels, points in prometheus.range(
            target["expr"].replace("$__rate_interval", _RATE_OVER), since=began, step=_STEP
        )
        if points
    ]
    return Graph(panel["title"], panel["fieldConfig"]["defaults"]["unit"], lines)


def _legend(template: str, labels: dict[str, str]) -> str:
    """Fill labels into ``{{label}}``, as Grafana does."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template)
