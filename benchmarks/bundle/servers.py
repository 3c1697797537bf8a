"""N servers: how much more is answered by two and three API pods than by one."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.bundle.scene import LLM_DELAY_MS, Result, Scene, say
from tests.e2e.bundle import Bundle

_SECONDS = 25
_CLIENTS = 64
_WARM = 5


def servers(scene: Scene) -> Result:
    """Ask as much as is answered, of 1, 2 and 3 pods: each with a share of a core, then without."""
    headings = ("API pods", "each has", "answered a second", "against one", "cores busy", "failed")
    note = (
        f"{_CLIENTS} clients that ask again at once; a language model of {LLM_DELAY_MS} ms; "
        "clients, Milvus, the model and the control plane have their part of the cores"
    )
    result = Result("N servers", headings, note=note)
    off = {"autoscaling": {"enabled": False}, "replicas": 1}
    bundle = scene.deploy("servers", api=off)
    for limit in ("250m", None):
        resources = {"requests": {"cpu": "100m"}, "limits": {"cpu": limit, "memory": "1Gi"}}
        bundle.edit({"api": {"resources": resources}})
        one = 0.0
        for replicas in (1, 2, 3):
            bundle.edit({"api": {"replicas": replicas}})
            bundle.wait_until_settled(timeout=240)
            api = bundle.kubectl.get("deployment", f"{bundle.name}-api")
            assert api["status"]["readyReplicas"] == replicas, api["status"]
            rate, busy, failed = _measure(scene, bundle)
            one = one or rate
            each = f"{limit} cores" if limit else "no limit"
            say(f"  {replicas} pods, {each}: {rate:.0f}/s, {busy:.2f} cores")
            cells = (f"{rate:.0f}", f"{rate / one:.2f} x", f"{busy:.2f}", str(failed))
            result.rows.append((str(replicas), each, *cells))
            result.must(not failed, f"{replicas} pods: {failed} questions failed")
    scene.remove(bundle)
    return result


def _measure(scene: Scene, bundle: Bundle) -> tuple[float, float, int]:
    """Answers a second, cores of this machine that were busy, and failures."""
    with scene.asking(bundle, rate=None, clients=_CLIENTS) as prober:
        first = prober.wait(_WARM)
        began, busy = time.monotonic(), _busy_seconds()
        last = prober.wait(_SECONDS)
        seconds = time.monotonic() - began
        seen = prober.seen(first, last)
        return seen.answered / seconds, (_busy_seconds() - busy) / seconds, seen.failed


def _busy_seconds() -> float:
    """Seconds of processor time that were used on this machine (proc(5), /proc/stat)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / 100
