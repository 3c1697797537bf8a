"""A kubelet on paper: it runs nothing, and says what a kubelet would say.

The harness has no node, so no container ever starts. What a test needs of one is
its reports: pods that are ready or that cannot pull their image. Everything that
follows from a report (a Deployment that is available, an EndpointSlice with ready
addresses, a rollout that goes on or stalls) is done by the real controllers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Self

import httpx

from tests.controlplane.api import Api, ApiError, Object
from tests.controlplane.kinds import NODE, PERSISTENT_VOLUME_CLAIM, POD
from tests.controlplane.pod_reports import (
    NODE_NAME,
    crashing,
    image_failure,
    ready,
    volume_for,
)
from tests.support.waiting import PATIENCE, eventually

Report = Callable[[Object], Object]
"""From a pod to the status that is reported for it."""


class PaperKubelet:
    """Reports on pods, one by one on request or on every new pod of a namespace.

    >>> cluster.kubelet.make_ready(namespace, "app.kubernetes.io/component=api")
    >>> with cluster.kubelet.running(namespace, broken_images={"nowhere.test/api:1"}):
    ...     ...  # every new pod becomes ready, those with that image fail to pull it
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._addresses = count(1)
        self._lock = threading.Lock()
        self._running: dict[str, frozenset[str]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="paper-kubelet", daemon=True)

    def start(self) -> Self:
        """Register the node and begin to watch pods."""
        self._api.create(
            {"apiVersion": NODE.api_version, "kind": NODE.kind, "metadata": {"name": NODE_NAME}}
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Begin nothing new; the thread ends with its connection."""
        self._stopped.set()

    # ---- on request ----
    def make_ready(
        self, namespace: str, selector: str | None = None, *, timeout: float = PATIENCE
    ) -> list[str]:
        """Report all matching pods as running and ready; waits for at least one.

        Volumes that they claim are provided first. Returns the pods' names.
        """
        return self._report(namespace, selector, self._ready, timeout)

    def make_unready(
        self, namespace: str, selector: str | None = None, *, timeout: float = PATIENCE
    ) -> list[str]:
        """Report their readiness probes as failing."""
        return self._report(namespace, selector, self._unready, timeout)

    def fail_image(
        self, namespace: str, selector: str | None = None, *, timeout: float = PATIENCE
    ) -> list[str]:
        """Report that their images cannot be pulled (ImagePullBackOff)."""
        return self._report(namespace, selector, image_failure, timeout)

    def crash(
        self,
        namespace: str,
        selector: str | None = None,
        *,
        exit_code: int = 1,
        timeout: float = PATIENCE,
    ) -> list[str]:
        """Report that their containers end over and over (CrashLoopBackOff)."""
        return self._report(
            namespace, selector, lambda pod: crashing(pod, exit_code=exit_code), timeout
        )

    # ---- in the background ----
    def run(self, namespace: str, *, broken_images: Collection[str] = ()) -> None:
        """From now on every pod of the namespace becomes ready by itself.

        Args:
            namespace: Where.
            broken_images: Pods with one of these images fail to pull it instead.
        """
        with self._lock:
            self._running[namespace] = frozenset(broken_images)
        for pod in self._api.list(POD, namespace=namespace):
            self._see(pod)

    def rest(self, namespace: str) -> None:
        """From now on the namespace's new pods stay as they are."""
        with self._lock:
            self._running.pop(namespace, None)

    @contextmanager
    def running(self, namespace: str, *, broken_images: Collection[str] = ()) -> Iterator[None]:
        """``run`` for the length of a block."""
        self.run(namespace, broken_images=broken_images)
        try:
            yield
        finally:
            self.rest(namespace)

    def _work(self) -> None:
        """Watch the pods of all namespaces until stopped, through API outages too."""
        while not self._stopped.is_set():
            try:
                for change, pod in self._api.watch(POD):
                    if change != "DELETED":
                        self._see(pod)
            except (httpx.TransportError, ApiError):
                self._stopped.wait(0.2)  # the API server is away; a new watch shows all pods again

    def _see(self, pod: Object) -> None:
        placed = pod["spec"].get("nodeName")
        with self._lock:
            broken = self._running.get(pod["metadata"]["namespace"])
        if pod["metadata"].get("deletionTimestamp"):
            if placed == NODE_NAME:
                self._remove(pod)
        elif broken is not None and not placed:
            images = {c["image"] for c in pod["spec"]["containers"]}
            self._tell(pod, image_failure if images & broken else self._ready)

    # ---- reports ----
    def _report(
        self, namespace: str, selector: str | None, report: Report, timeout: float
    ) -> list[str]:
        def alive() -> list[Object]:
            pods = self._api.list(POD, namespace=namespace, selector=selector)
            return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

        what = f"a pod with {selector or 'any label'} in {namespace}"
        pods = eventually(alive, what=what, timeout=timeout)
        for pod in pods:
            self._tell(pod, report)
        return [pod["metadata"]["name"] for pod in pods]

    def _ready(self, pod: Object) -> Object:
        for volume in pod["spec"].get("volumes", []):
            if claim := volume.get("persistentVolumeClaim"):
                self._provide(pod["metadata"]["namespace"], claim["claimName"])
        return ready(pod, address=self._address(pod))

    def _unready(self, pod: Object) -> Object:
        return ready(pod, address=self._address(pod), passes_probes=False)

    def _address(self, pod: Object) -> str:
        """Its own address, or a new one of the usual pod network."""
        number = next(self._addresses)
        return pod["status"].get("podIP") or f"10.244.{number // 250}.{number % 250 + 1}"

    def _tell(self, pod: Object, report: Report) -> None:
        """Place the pod on our node if it is on none, and report its status."""
        metadata = pod["metadata"]
        path = self._api.path(POD, metadata["name"], namespace=metadata["namespace"])
        with _gone_is_fine():
            if not pod["spec"].get("nodeName"):
                target = {"apiVersion": NODE.api_version, "kind": NODE.kind, "name": NODE_NAME}
                binding = {"metadata": {"name": metadata["name"]}, "target": target}
                self._api.request("POST", f"{path}/binding", body=binding)
            self._api.patch(
                POD,
                metadata["name"],
                {"status": report(pod)},
                namespace=metadata["namespace"],
                subresource="status",
            )

    def _remove(self, pod: Object) -> None:
        """What a kubelet does once the containers of a deleted pod have ended."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        with _gone_is_fine():
            self._api.delete(POD, name, namespace=namespace, grace_seconds=0)

    def _provide(self, namespace: str, claim_name: str) -> None:
        """Provide the volume that a claim waits for; the real binder binds the two."""
        claim = self._api.get(PERSISTENT_VOLUME_CLAIM, claim_name, namespace=namespace)
        if claim["spec"].get("volumeName"):
            return
        with _gone_is_fine():  # a conflict: it was provided a moment ago
            self._api.create(volume_for(claim))


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """The object went, or somebody was faster: the next look at it decides."""
    try:
        yield
    except ApiError as error:
        if error.code not in (404, 409):
            raise
