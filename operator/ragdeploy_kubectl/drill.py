"""``kubectl rag drill``: take pods away while questions come in, and tell what people noticed.

The questions come from a pod in the cluster (``ragdeploy load`` in the image of the service),
because ``kubectl port-forward`` holds on to one pod and dies with it.
"""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ragdeploy_kubectl.kubectl import Json, Kubectl
from ragdeploy_operator.build import names
from ragdeploy_service.cli.console import Failure

PARTS = tuple(names.Component)

_PORT = 8000
_KEY = "api-key"
_START_SECONDS = 120
_LONGEST_SECONDS = 3600
# Lines of the prober, one a second, that are waited for before and after a fault.
_BEFORE, _AFTER = 3, 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one fault did.

    Attributes:
        recovered: Seconds until as many pods were ready as before; None if it took too long.
        slowest: Milliseconds of the slowest answer; None if there was none.
    """

    part: str
    pod: str
    recovered: float | None
    answered: int
    degraded: int
    limited: int
    failed: int
    slowest: float | None
    errors: list[str]

    @property
    def passed(self) -> bool:
        """Whether nobody noticed, and all is as before."""
        return self.recovered is not None and not self.failed

    def as_json(self) -> Json:
        """The fields, for programs."""
        return {**asdict(self), "passed": self.passed}


@dataclass(slots=True)
class Prober:
    """A pod that asks questions, and what it has told so far, a line a second."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    def follow(self, process: subprocess.Popen[str]) -> None:
        """Take what the log of the pod says, until it ends."""
        for line in process.stdout or ():
            with self.arrived:
                self.lines.append(json.loads(line))
                self.arrived.notify_all()
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def wait(self, lines: int) -> int:
        """Wait for so many more lines; the number of those that are there then.

        Raises:
            Failure: the pod has ended.
        """
        with self.arrived:
            wanted = len(self.lines) + lines
            self.arrived.wait_for(lambda: self.ended or len(self.lines) >= wanted)
            if self.ended:
                raise Failure("the pod that asks the questions has ended.")
            return len(self.lines)


@dataclass(frozen=True, kw_only=True)
class Drill:
    """Faults of one application, and the questions it is asked meanwhile.

    Attributes:
        kubectl: In the namespace of the application.
        rate: Questions a second.
        hard: Whether pods are killed; otherwise they are asked to end, as on a drained node.
        patience: Seconds within which as many pods must be ready as before.
    """

    kubectl: Kubectl
    resource: Json
    api_key: str | None
    question: str
    rate: float
    hard: bool
    patience: float

    @property
    def name(self) -> str:
        """Name of the application."""
        return str(self.resource["metadata"]["name"])

    def has(self, part: str) -> bool:
        """Whether there is a pod of this part."""
        return bool(self._pods(part))

    @contextmanager
    def prober(self) -> Iterator[Prober]:
        """Run the pod that asks the questions, for the length of a block.

        Raises:
            Failure: it does not start.
        """
        pod = self._pod()
        self.kubectl(
            "delete", "pod,secret", pod["metadata"]["name"], "--ignore-not-found", "--wait"
        )
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": pod["metadata"],
            "stringData": {_KEY: self.api_key or ""},
        }
        items = {"apiVersion": "v1", "kind": "List", "items": [secret, pod]}
        try:
            self.kubectl("create", "--filename=-", stdin=json.dumps(items))
            name = f"pod/{pod['metadata']['name']}"
            self.kubectl("wait", "--for=condition=Ready", name, f"--timeout={_START_SECONDS}s")
            command = self.kubectl.command("logs", "--follow", name)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                prober = Prober()
                thread = threading.Thread(target=prober.follow, args=(process,))
                thread.start()
                try:
                    yield prober
                finally:
                    process.terminate()
                    thread.join()
        finally:
            self.kubectl(
                "delete", "pod,secret", pod["metadata"]["name"], "--ignore-not-found", "--now"
            )

    def strike(self, part: str, prober: Prober) -> Finding:
        """Take a pod of a part away, and see what happens until it is replaced."""
        before = self._pods(part)
        victim = random.choice(sorted(before))  # noqa: S311
        first = prober.wait(_BEFORE)
        began = time.monotonic()
        how = ("--grace-period=0", "--force") if self.hard else ()
        self.kubectl("delete", "pod", before[victim]["metadata"]["name"], "--wait=false", *how)
        recovered = self._replaced(part, victim, ready=len(before), began=began)
        last = prober.wait(_AFTER)
        seen = prober.lines[first:last]
        slowest = [line["max_ms"] for line in seen if line["max_ms"] is not None]
        return Finding(
            part=part,
            pod=before[victim]["metadata"]["name"],
            recovered=recovered,
            slowest=max(slowest, default=None),
            errors=sorted({error for line in seen for error in line["errors"]}),
            **{
                kind: sum(line[kind] for line in seen)
                for kind in ("answered", "degraded", "limited", "failed")
            },
        )

    def _replaced(self, part: str, victim: str, *, ready: int, began: float) -> float | None:
        while (passed := time.monotonic() - began) < self.patience:
            now = self._pods(part)
            if victim not in now and len(now) >= ready:
                return passed
            time.sleep(0.5)
        return None

    def _pods(self, part: str) -> dict[str, Json]:
        """Pods of a part that are ready, by their uids."""
        selector = ",".join(
            f"{label}={value}"
            for label, value in names.selector(self.name, names.Component(part)).items()
        )
        found = json.loads(self.kubectl("get", "pods", f"--selector={selector}", "--output=json"))
        return {pod["metadata"]["uid"]: pod for pod in found["items"] if _is_ready(pod)}

    def _pod(self) -> Json:
        """The pod that asks, for the profile ``restricted`` and where the API's pods may run."""
        api = json.loads(self.kubectl("get", "deployment", names.api(self.name), "--output=json"))[
            "spec"
        ]["template"]["spec"]
        namespace = self.resource["metadata"]["namespace"]
        placement = ("imagePullSecrets", "nodeSelector", "tolerations")
        command = ["ragdeploy", "load", self.question, "--json", f"--rate={self.rate}"]
        command += [f"--url=http://{names.api(self.name)}.{namespace}.svc:{_PORT}"]
        command += [f"--seconds={_LONGEST_SECONDS}", "--timeout=20"]
        # By its own name only: with the application's labels it would be taken for a part of it.
        metadata = {
            "name": names.child_name(self.name, "drill"),
            "labels": {"app.kubernetes.io/name": "ragdeploy-drill"},
        }
        key = {"secretKeyRef": {"name": metadata["name"], "key": _KEY}}
        container = {
            "name": "load",
            "image": api["containers"][0]["image"],
            "command": command,
            "env": [{"name": "RAGDEPLOY_API_KEY", "valueFrom": key}],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {
                **{field: api[field] for field in placement if field in api},
                "restartPolicy": "Never",
                "activeDeadlineSeconds": _LONGEST_SECONDS,
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "securityContext": {
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
            },
        }


def table(findings: list[Finding]) -> RenderableType:
    """What each fault did, a line each."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    columns = ("PART", "POD", "BACK AFTER", "ANSWERED", "DEGRADED", "LIMITED", "FAILED", "SLOWEST")
    for column in columns:
        drawn.add_column(column, no_wrap=True)
    for one in findings:
        drawn.add_row(
            one.part,
            one.pod,
            Text("never", style="red") if one.recovered is None else f"{one.recovered:.1f}s",
            str(one.answered),
            str(one.degraded),
            str(one.limited),
            Text(str(one.failed), style="red" if one.failed else "green"),
            "-" if one.slowest is None else f"{one.slowest:.0f}ms",
        )
    return drawn


def _is_ready(pod: Json) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
