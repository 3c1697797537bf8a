"""Operations: what is done to an application in its life, and whether its documents stay."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx

from benchmarks.bundle.nodes import image_under_another_tag
from benchmarks.bundle.scene import Result, Scene, say
from ragdeploy_kubectl.prober import Seen
from tests.e2e.bundle import Bundle
from tests.e2e.kubectl import Json
from tests.support.waiting import eventually

_RATE = 5.0
_KEYS = "keys"
_OLD, _NEW = "first-key-of-the-drill", "second-key-of-the-drill"
_QUESTION = "When is the staging cluster rebuilt?"
_PAGE = "staging.md"
_TEXT = "The staging cluster is rebuilt every Monday at 06:00 UTC by the platform team."


def operations(scene: Scene) -> Result:
    """One operation after the other; after each, a question must find its document."""
    headings = ("operation", "took", "failed meanwhile", "found afterwards")
    result = Result(
        "Operations", headings, note=f"{_RATE:g} questions a second, but where all stop"
    )
    _write_keys(scene, first=_OLD)
    bundle = scene.deploy(
        "operated",
        api={"autoscaling": {"enabled": False}, "replicas": 2},
        auth={"rateLimit": {"requestsPerMinute": 0}, "apiKeysSecretRef": {"name": _KEYS}},
        persistentVolumeClaimPolicy="Retain",
    )
    with bundle.api() as api:
        api.index({_PAGE: _TEXT})
    asked: list[tuple[str, Callable[[], Seen | None]]] = [
        ("rotate keys: both good, then the new one only", lambda: _rotate(scene, bundle)),
        ("grow the vector store's volume", lambda: _grow(scene, bundle)),
        ("upgrade the operator", lambda: _upgrade(scene, bundle)),
        ("suspend and wake", lambda: _suspend(bundle)),
        ("delete, and recreate from the volumes", lambda: _recreate(scene, bundle)),
    ]
    for name, operation in asked:
        say(f"  {name}")
        began = time.monotonic()
        seen = operation()
        took = time.monotonic() - began
        found = _source(bundle)
        failed = "all stopped" if seen is None else str(seen.failed)
        result.rows.append((name, f"{took:.0f} s", failed, found))
        say(f"    {took:.0f} s, failed: {failed}, found: {found}")
        result.must(found == _PAGE, f"{name}: {_QUESTION!r} finds {found}, not {_PAGE}")
        if seen is not None:
            result.must(not seen.failed, f"{name}: {seen.failed} questions failed: {seen.errors}")
    scene.remove(bundle)
    return result


# ---- keys ----
def _write_keys(scene: Scene, **keys: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": _KEYS},
        "stringData": keys,
    }
    scene.kubectl.apply(secret)


def _rotate(scene: Scene, bundle: Bundle) -> Seen:
    """Clients with the old key, then with the new one; nobody is refused in between."""
    with scene.asking(bundle, rate=_RATE, api_key=_OLD) as before:
        _write_keys(scene, first=_OLD, second=_NEW)
        _until_all(bundle, _NEW, accepted=True)
        with scene.asking(bundle, rate=_RATE, api_key=_NEW, suffix="renewed") as after:
            first = before.wait(3)
            old = before.seen(0, first)
            _write_keys(scene, second=_NEW)
            _until_all(bundle, _OLD, accepted=False)
            after.wait(3)
            new = after.seen()
    return Seen(
        answered=old.answered + new.answered,
        degraded=old.degraded + new.degraded,
        limited=old.limited + new.limited,
        failed=old.failed + new.failed,
        slowest=None,
        errors=old.errors + new.errors,
    )


def _until_all(bundle: Bundle, key: str, *, accepted: bool) -> None:
    """Wait until each pod takes a key, or none does."""
    for pod in bundle.pods("api"):
        with bundle.kubectl.port_forward(f"pod/{pod}", 8000) as url:

            def agreed(url: str = url) -> bool:
                answer = httpx.get(f"{url}/collections", headers={"X-API-Key": key}, timeout=10)
                return (answer.status_code == 200) == accepted

            # the kubelet brings a change to mounted files within about a minute
            eventually(agreed, what=f"{pod} has the keys", timeout=180, interval=1)


# ---- the others ----
def _grow(scene: Scene, bundle: Bundle) -> Seen:
    """Ask for more, and be given it as far as the storage class does that."""
    claim = f"data-{bundle.name}-vector-store-0"
    name = scene.kubectl.get("pvc", claim)["spec"]["storageClassName"]
    old = scene.kubectl.get("pod", f"{bundle.name}-vector-store-0")["metadata"]["uid"]
    _allow_growth(scene, name, allowed=True)
    try:
        with scene.asking(bundle, rate=_RATE) as prober:
            first = prober.wait(1)
            bundle.edit({"vectorStore": {"managed": {"storage": {"size": "25Gi"}}}})
            eventually(
                lambda: _asked_for(scene, claim) == "25Gi", what="a larger claim", timeout=60
            )
            bundle.wait_until_settled()
            seen = prober.seen(first, prober.wait(5))
    finally:
        _allow_growth(scene, name, allowed=False)
    now = scene.kubectl.get("pod", f"{bundle.name}-vector-store-0")["metadata"]["uid"]
    assert now == old, "the vector store's pod was replaced"
    return seen


def _allow_growth(scene: Scene, name: str, *, allowed: bool) -> None:
    patch = json.dumps({"allowVolumeExpansion": allowed})
    scene.kubectl("patch", "storageclass", name, f"--patch={patch}")


def _asked_for(scene: Scene, claim: str) -> str:
    spec = scene.kubectl.get("pvc", claim)["spec"]
    return str(spec["resources"]["requests"]["storage"])


def _upgrade(scene: Scene, bundle: Bundle) -> Seen:
    """Roll the operator to an image of another name; no pod of the application may go."""
    [deployment] = scene.operator.list("deployments")
    name = deployment["metadata"]["name"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    image = image_under_another_tag(scene.kubectl, container["image"])
    pods = {part: set(bundle.pods(part)) for part in ("api", "indexer", "cache", "vector-store")}
    with scene.asking(bundle, rate=_RATE) as prober:
        first = prober.wait(1)
        deploy = f"deployment/{name}"
        scene.operator("set", "image", deploy, f"{container['name']}={image}")
        scene.operator("rollout", "status", deploy, "--timeout=180s", timeout=190)
        bundle.edit({"retrieval": {"topK": 4}})  # the new one works
        bundle.wait_until_settled()
        seen = prober.seen(first, prober.wait(5))
    now = {part: set(bundle.pods(part)) for part in pods}
    assert now == pods, f"pods were replaced: {pods} -> {now}"
    return seen


def _suspend(bundle: Bundle) -> None:
    bundle.edit({"suspend": True})
    ragd = f"ragd/{bundle.name}"
    bundle.kubectl("wait", "--for=condition=Suspended", ragd, "--timeout=180s", timeout=190)
    bundle.edit({"suspend": False})
    bundle.wait_until_ready()
    bundle.wait_until_settled()


def _recreate(scene: Scene, bundle: Bundle) -> None:
    spec: Json = bundle.resource()["spec"]
    scene.remove(bundle)
    bundle.apply({**spec, "persistentVolumeClaimPolicy": "Delete"})
    bundle.wait_until_ready()
    bundle.wait_until_settled()


def _source(bundle: Bundle) -> str:
    """The page that the best passage is from."""
    with bundle.api() as api:
        answer = api.query(_QUESTION)
    return str(answer["sources"][0]["metadata"]["source"])
