"""Autoscaling under load: the rate rises, pods are added, latency recovers, the rate falls."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.bundle.plot import Series, plot
from benchmarks.bundle.scene import Result, Scene, say
from ragdeploy_kubectl.prober import Prober
from tests.e2e.bundle import Bundle
from tests.support.waiting import eventually

_CALM_RATE, _SURGE_RATE = 5.0, 95.0
_CALM, _SURGE = 30, 240
_MOST = 3
_RECOVERED_MS = 1000.0
"""What is slower than this a person notices (Nielsen, "Response Times: The 3 Important Limits")."""

_SCALING = {
    "minReplicas": 1,
    "maxReplicas": _MOST,
    "targetCPUUtilizationPercentage": 70,
    # As in production, but quicker to scale in than the five minutes that are Kubernetes' default.
    "behavior": {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {
            "stabilizationWindowSeconds": 30,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}],
        },
    },
}
_RESOURCES = {
    "requests": {"cpu": "200m", "memory": "384Mi"},
    "limits": {"cpu": "300m", "memory": "1Gi"},
}


@dataclass
class _Timeline:
    """Seconds since the beginning and the number of ready pods, looked at all the time."""

    bundle: Bundle
    began: float = field(default_factory=time.monotonic)
    pods: list[tuple[float, int]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        return time.monotonic() - self.began

    def look(self) -> None:
        while not self.stop.wait(1):
            api = self.bundle.kubectl.get("deployment", f"{self.bundle.name}-api")
            self.pods.append((self.now(), int(api["status"].get("readyReplicas", 0))))

    def ready(self) -> int:
        return self.pods[-1][1] if self.pods else 0


def autoscaling(scene: Scene) -> Result:
    """One pod with a part of a core, five questions a second, then a hundred, then five again."""
    result = Result(
        "Autoscaling under load", ("moment", "after", "pods", "slowest answer", "failed")
    )
    bundle = scene.deploy("scaled", api={"autoscaling": _SCALING, "resources": _RESOURCES})
    timeline = _Timeline(bundle)
    with ExitStack() as stack:
        stack.callback(timeline.stop.set)
        threading.Thread(target=timeline.look, daemon=True).start()
        calm = stack.enter_context(scene.asking(bundle, rate=_CALM_RATE, suffix="calm"))
        # A pod's start takes as much processor time as the autoscaler adds a pod for.
        say("  waiting for one pod")
        eventually(lambda: timeline.ready() == 1, what="one pod", timeout=_SURGE * 2, interval=1)
        first = len(calm.lines)
        timeline.began, started = time.monotonic(), first
        timeline.pods.clear()
        _row(result, "before", timeline, calm, first, calm.wait(_CALM))
        with scene.asking(bundle, rate=_SURGE_RATE, clients=32, suffix="surge") as surge:
            surged = timeline.now()
            say(f"  {_CALM_RATE + _SURGE_RATE:g} questions a second")
            eventually(
                lambda: timeline.ready() == _MOST, what=f"{_MOST} pods", timeout=_SURGE, interval=1
            )
            scaled = timeline.now() - surged
            first = len(surge.lines)
            _row(result, f"load up, until {_MOST} pods", timeline, surge, 0, first)
            recovered = _until_quick(surge, timeline) - surged
            first = len(surge.lines)
            _row(result, "load up, recovered", timeline, surge, first, surge.wait(60))
            surge_line, surge_began = surge, surged
        fell, first = timeline.now(), len(calm.lines)
        say(f"  {_CALM_RATE:g} questions a second")
        eventually(lambda: timeline.ready() == 1, what="one pod", timeout=_SURGE * 2, interval=1)
        calm.wait(10)
        _row(result, "load down, until 1 pod", timeline, calm, first, len(calm.lines))
        shrunk = timeline.now() - fell
        seen = [calm.seen(started), surge_line.seen()]
    result.rows.append((f"{_MOST} pods after the load rose", f"{scaled:.0f} s", "", "", ""))
    result.rows.append(
        (f"answers within {_RECOVERED_MS:g} ms again", f"{recovered:.0f} s", "", "", "")
    )
    result.rows.append(("1 pod after the load fell", f"{shrunk:.0f} s", "", "", ""))
    failed = sum(one.failed for one in seen)
    answered = sum(one.answered + one.degraded for one in seen)
    result.rows.append(("all questions", "", "", f"{answered} answered", str(failed)))
    result.must(not failed, f"{failed} questions failed: {[one.errors for one in seen]}")
    _picture(timeline, calm, started, surge_line, surge_began)
    scene.remove(bundle)
    return result


def _row(
    result: Result, name: str, timeline: _Timeline, prober: Prober, first: int, last: int
) -> None:
    seen = prober.seen(first, last)
    say(f"  {name}: {timeline.ready()} pods, slowest {seen.slowest} ms, {seen.failed} failed")
    slowest = "-" if seen.slowest is None else f"{seen.slowest:.0f} ms"
    after = f"{timeline.now():.0f} s"
    result.rows.append((name, after, str(timeline.ready()), slowest, str(seen.failed)))


def _until_quick(prober: Prober, timeline: _Timeline) -> float:
    """Wait for ten seconds in a row without a slow answer; when they began."""
    quick_since, quick = timeline.now(), 0
    while quick < 10 and timeline.now() < 600:
        last = prober.wait(1)
        slowest = prober.seen(last - 1, last).slowest
        if slowest is not None and slowest > _RECOVERED_MS:
            quick_since, quick = timeline.now(), 0
        else:
            quick += 1
    return quick_since


def _picture(timeline: _Timeline, calm: Prober, started: int, surge: Prober, surged: float) -> None:
    """Rate, latency and pods against time."""
    rate: dict[int, float] = {}
    slow: dict[int, float] = {}
    for lines, offset in ((calm.lines[started:], 0.0), (surge.lines, surged)):
        for number, line in enumerate(lines):
            second = int(offset + number)
            rate[second] = rate.get(second, 0) + line["answered"] + line["degraded"]
            if line["p99_ms"] is not None:
                slow[second] = max(slow.get(second, 0), line["p99_ms"])
    plot(
        "autoscaling",
        "Autoscaling under load",
        [
            Series("answers a second", sorted(rate.items())),
            Series("99th percentile, ms", sorted(slow.items()), logarithmic=True),
            Series("API pods that are ready", timeline.pods, steps=True),
        ],
    )
