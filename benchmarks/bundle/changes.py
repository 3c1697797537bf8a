"""Nothing dropped: what is changed, restarted and drained under a steady load."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx

from benchmarks.bundle.nodes import image_under_another_tag
from benchmarks.bundle.scene import Result, Scene, outcome, say
from tests.e2e.bundle import Bundle
from tests.e2e.in_cluster import PORT
from tests.e2e.in_cluster.llm import API_KEY
from tests.e2e.kubectl import Json
from tests.support.waiting import eventually

_RATE = 10.0
_AFTER = 5
"""Seconds of questions that are looked at after a change has settled."""


def changes(scene: Scene) -> Result:
    """Change one thing after the other while questions come in."""
    headings = (
        "change",
        "settled after",
        "pods replaced",
        "answered",
        "degraded",
        "failed",
        "slowest",
    )
    result = Result("Nothing dropped", headings, note=f"{_RATE:g} questions a second")
    bundle = scene.deploy("steady", api={"autoscaling": {"enabled": False}, "replicas": 2})
    cases: list[tuple[str, Callable[[], None]]] = [
        ("no change, for comparison", lambda: time.sleep(10)),
        ("image", lambda: _image(scene, bundle)),
        ("config that is reloaded", lambda: bundle.edit({"retrieval": {"topK": 4}})),
        ("config that rolls", lambda: bundle.edit({"batching": {"maxBatchSize": 8}})),
        ("LLM key", lambda: _secret(scene)),
        ("resources", lambda: _resources(bundle)),
        ("kubectl rollout restart", lambda: _restart(bundle)),
        ("an API pod killed", lambda: _kill(bundle)),
        ("a node drained", lambda: _drain(bundle)),
        ("all operator pods killed", lambda: _kill_operator(scene)),
    ]
    with scene.asking(bundle, rate=_RATE) as prober:
        for name, change in cases:
            say(f"  {name}")
            before, first, began = set(bundle.pods("api")), prober.wait(2), time.monotonic()
            change()
            bundle.wait_until_settled(timeout=300)
            took = time.monotonic() - began
            seen = prober.seen(first, prober.wait(_AFTER))
            replaced = len(before - set(bundle.pods("api")))
            result.rows.append(
                (name, f"{took:.0f} s", f"{replaced} of {len(before)}", *outcome(seen))
            )
            result.must(not seen.failed, f"{name}: {seen.failed} failed ({'; '.join(seen.errors)})")
    scene.remove(bundle)
    return result


def _image(scene: Scene, bundle: Bundle) -> None:
    api = scene.kubectl.get("deployment", f"{bundle.name}-api")
    image = api["spec"]["template"]["spec"]["containers"][0]["image"]
    repository, _, tag = image_under_another_tag(scene.kubectl, image).rpartition(":")
    with bundle.replacing("api"):
        bundle.edit({"image": {"repository": repository, "tag": tag}})


def _secret(scene: Scene) -> None:
    """Give the LLM's key another value."""
    renewed = f"{API_KEY}-renewed"
    patch: Json = {"stringData": {"api-key": renewed}}
    scene.kubectl("patch", "secret", "llm", "--type=merge", f"--patch={json.dumps(patch)}")
    with scene.kubectl.port_forward("pod/llm", PORT) as url:

        def used_by_all() -> bool:
            return set(httpx.get(f"{url}/keys").json()) == {renewed}

        eventually(used_by_all, what="all pods have the new key", timeout=180, interval=1)


def _resources(bundle: Bundle) -> None:
    with bundle.replacing("api"):
        bundle.edit({"api": {"resources": {"requests": {"memory": "400Mi"}}}})


def _restart(bundle: Bundle) -> None:
    with bundle.replacing("api"):
        bundle.kubectl("rollout", "restart", f"deployment/{bundle.name}-api")


def _kill(bundle: Bundle) -> None:
    victim = bundle.pods("api")[0]
    bundle.kubectl("delete", "pod", victim, "--now")
    eventually(lambda: _ready(bundle) == 2, what="both API pods", timeout=120, interval=0.5)


def _drain(bundle: Bundle) -> None:
    """Drain the node without the vector store, whose volume keeps it where it is."""
    kubectl = bundle.kubectl
    pods = {pod["metadata"]["name"]: pod for pod in kubectl.list("pods")}
    kept = pods[f"{bundle.name}-vector-store-0"]["spec"]["nodeName"]
    nodes = [node["metadata"]["name"] for node in kubectl.list("nodes")]
    # of the others, the one where the pods of this scene are
    used = {pod["spec"]["nodeName"] for name, pod in pods.items() if name != "llm"}
    node = next(node for node in nodes if node != kept and node in used)
    try:
        kubectl(
            "drain",
            node,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            f"--pod-selector=ragdeploy.io/name={bundle.name}",
            "--timeout=180s",
            timeout=190,
        )
    finally:
        kubectl("uncordon", node)
    eventually(lambda: _ready(bundle) == 2, what="both API pods", timeout=120, interval=0.5)


def _kill_operator(scene: Scene) -> None:
    ours = "--selector=app.kubernetes.io/component=operator"
    before = {pod["metadata"]["name"] for pod in scene.operator.list("pods")}
    scene.operator("delete", "pods", ours, "--now")
    wait = ("wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s")
    scene.operator(*wait, timeout=130)

    def leads() -> bool:
        [lease] = scene.operator.list("leases")
        return lease["spec"].get("holderIdentity", "").split("_")[0] not in before

    eventually(leads, what="a new pod leads", timeout=120, interval=0.5)


def _ready(bundle: Bundle) -> int:
    api = bundle.kubectl.get("deployment", f"{bundle.name}-api")
    return int(api["status"].get("readyReplicas", 0))
