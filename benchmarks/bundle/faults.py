"""Faults: pods are killed at random while documents come in and questions are asked.

At the end Redis' three nodes are replaced in turn, as an edit or an upgrade does it.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import httpx

from benchmarks.bundle.scene import Result, Scene, say
from ragdeploy_kubectl.drill import Drill, Finding
from ragdeploy_kubectl.kubectl import Kubectl as UsersKubectl
from ragdeploy_kubectl.prober import Prober
from ragdeploy_operator.build.names import Component
from tests.e2e.bundle import Api, Bundle
from tests.e2e.in_cluster import PORT, program
from tests.e2e.kubectl import Json
from tests.support.waiting import eventually

_RATE = 5.0
_COLLECTION = "meters"
_PAUSE = (5.0, 15.0)
"""Seconds from one pod's return to the next fault, at the least and at the most."""
_LATEST = 120
"""Seconds after which a document that is not listed is lost."""
_NOTICED_MAY_BE = {Component.VECTOR_STORE}
"""Parts of one pod, without which a new question has no answer."""


def faults(scene: Scene, *, minutes: float, seed: int) -> Result:
    """Kill for some minutes, then look for every document that was accepted."""
    headings = ("part", "killed", "back after, median / longest", "answered", "degraded", "failed")
    note = f"{_RATE:g} questions a second, seed {seed}; pods have one second to end"
    result = Result("Faults", headings, note=note)
    bundle = scene.deploy(
        "broken",
        api={"autoscaling": {"enabled": False}, "replicas": 2},
        indexer={"replicas": 2},
        cache={"managed": {"replicas": 3}},
    )
    chance = random.Random(seed)
    users = UsersKubectl(scene.kubectl.context, scene.kubectl.namespace)
    drill = Drill(kubectl=users, name=bundle.name, hard=True, patience=300)
    findings: dict[Component, list[Finding]] = defaultdict(list)
    with _writer(scene, bundle) as writer, scene.asking(bundle, rate=_RATE) as prober:
        ends = time.monotonic() + minutes * 60
        while time.monotonic() < ends:
            part = chance.choice(tuple(Component))
            name = _master(bundle) if part is Component.CACHE else None
            finding = drill.strike(part, prober, name=name)
            findings[part].append(finding)
            say(f"  {part} {finding.pod}: back after {finding.recovered} s, {finding.seen}")
            time.sleep(chance.uniform(*_PAUSE))
        rolled = _roll_cache(result, bundle, prober)
        written = writer.post("/stop").raise_for_status().json()
        whole = prober.seen()
    for part, found in findings.items():
        result.rows.append(_row(part, found))
        never = sum(one.recovered is None for one in found)
        result.must(not never, f"{part}: {never} pods did not come back")
        if part not in _NOTICED_MAY_BE:
            failed = sum(one.seen.failed for one in found)
            errors = {error for one in found for error in one.seen.errors}
            result.must(not failed, f"{part}: {failed} questions failed: {errors}")
    result.rows.append(rolled)
    total = (str(whole.answered), str(whole.degraded), str(whole.failed))
    struck = sum(map(len, findings.values()))
    result.rows.append(("all the time", str(struck), "", *total))
    _look_for_documents(result, bundle, written)
    scene.remove(bundle)
    return result


def _roll_cache(result: Result, bundle: Bundle, prober: Prober) -> tuple[str, ...]:
    """Replace the nodes of Redis in turn; each hands over first if it is the master."""
    nodes = len(bundle.pods(Component.CACHE))
    first, began = prober.wait(2), time.monotonic()
    with bundle.replacing(Component.CACHE, timeout=300):
        bundle.edit({"cache": {"managed": {"resources": {"requests": {"cpu": "60m"}}}}})
    bundle.wait_until_settled(timeout=300)
    took = time.monotonic() - began
    seen = prober.seen(first, prober.wait(2))
    say(f"  {Component.CACHE} rolled: after {took:.0f} s, {seen}")
    result.must(not seen.failed, f"Redis rolled: {seen.failed} questions failed: {seen.errors}")
    counts = (str(seen.answered), str(seen.degraded), str(seen.failed))
    return f"{Component.CACHE}, by an edit", f"{nodes} in turn", f"{took:.0f} s", *counts


def _row(part: Component, found: list[Finding]) -> tuple[str, ...]:
    times = [one.recovered for one in found if one.recovered is not None]
    back = f"{median(times):.1f} / {max(times):.1f} s" if times else "never"
    counts = (
        str(sum(getattr(one.seen, kind) for one in found))
        for kind in ("answered", "degraded", "failed")
    )
    return part, str(len(found)), back, *counts


@contextmanager
def _writer(scene: Scene, bundle: Bundle) -> Iterator[httpx.Client]:
    """Hand documents in from a pod, for the length of a block."""
    api = scene.kubectl.get("deployment", f"{bundle.name}-api")
    image = api["spec"]["template"]["spec"]["containers"][0]["image"]
    environment = {
        "URL": f"http://{bundle.name}-api:{PORT}",
        "API_KEY": bundle.api_key(),
        "COLLECTION": _COLLECTION,
    }
    scene.kubectl.apply(*program("writer", image=image, environment=environment))
    scene.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=60s", timeout=70)
    with (
        scene.kubectl.port_forward("pod/writer", PORT) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client
    scene.kubectl("delete", "pod,service,configmap", "writer", "--now")


def _master(bundle: Bundle) -> str | None:
    """Name of the pod whose Redis is the master; None while there is none."""
    for pod in bundle.pods("cache"):
        command = ("exec", pod, "-c", "redis", "--", "sh", "-c", "redis-cli role | head -1")
        try:
            if bundle.kubectl(*command).strip() == "master":
                return pod
        except AssertionError:  # it is on its way
            continue
    return None


def _look_for_documents(result: Result, bundle: Bundle, written: Json) -> None:
    """Every accepted document must be there, once, as soon as the queue is empty."""
    with bundle.api() as api:

        def empty() -> bool:
            parts = api.client.get("/health", headers=api.headers).json()["parts"]
            return bool(parts["jobs"].get("pending") == 0)

        eventually(empty, what="all jobs are done", timeout=300, interval=2)
        began = time.monotonic()
        accepted = written["accepted"]
        missing = _missing(ids := list(_ids(api)), accepted)
        while missing and time.monotonic() - began < _LATEST:
            say(f"  not there yet: {_ranges(missing)}")
            time.sleep(5)
            missing = _missing(ids := list(_ids(api)), accepted)
        waited = time.monotonic() - began
        state = api.client.get(f"/collections/{_COLLECTION}", headers=api.headers).json()
        failed = api.client.get("/jobs?state=failed", headers=api.headers).json()["jobs"]
    twice = (len(ids) - len(set(ids))) + (state["chunks"] - len(set(ids)))
    say(f"  written: {written}; listed {len(ids)}, chunks {state['chunks']}")
    refused = written["attempts"] - accepted // 5
    there = f"{twice} twice, {waited:.0f} s after the last job"
    result.rows.append(
        ("documents accepted", str(accepted), f"{refused} batches sent again", "", "", "")
    )
    result.rows.append(("documents found", str(accepted - len(missing)), there, "", "", ""))
    result.must(not missing, f"accepted and not there: {_ranges(missing)}")
    result.must(not failed, f"jobs failed: {[(one['job_id'], one['errors']) for one in failed]}")
    result.must(twice == 0, f"{twice} documents are there twice")


def _missing(ids: Sequence[str], accepted: int) -> list[int]:
    """Numbers of the documents that were accepted and are not listed."""
    found = set(ids)
    return [number for number in range(accepted) if f"note-{number}" not in found]


def _ranges(numbers: Sequence[int]) -> str:
    """Write rising numbers as ``0-4, 10-14``."""
    there = set(numbers)
    starts = [n for n in numbers if n - 1 not in there]
    ends = [n for n in numbers if n + 1 not in there]
    return ", ".join(f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


def _ids(api: Api) -> Iterator[str]:
    path, page = f"/collections/{_COLLECTION}/documents?limit=1000", None
    while True:
        more = f"&page={page}" if page else ""
        found = api.client.get(f"{path}{more}", headers=api.headers).raise_for_status().json()
        yield from (document["id"] for document in found["documents"])
        page = found["next_page"]
        if page is None:
            return
