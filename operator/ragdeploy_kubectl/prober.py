"""A pod that asks an application questions, and what came of them, second by second.

It runs ``ragdeploy load`` in the image of the service. It is in the cluster because ``kubectl
port-forward`` holds on to one pod, and dies with it.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ragdeploy_kubectl.kubectl import Json, Kubectl
from ragdeploy_operator.build import names, pods
from ragdeploy_service.cli.console import Failure

_PORT = 8000
_KEY = "api-key"
_START_SECONDS = 120
_LONGEST_SECONDS = 3600
_KINDS = "pod,secret"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of the questions of a stretch of time.

    Attributes:
        slowest: Milliseconds of the slowest answer; None if there was none.
        errors: The different ones.
    """

    answered: int
    degraded: int
    limited: int
    failed: int
    slowest: float | None
    errors: tuple[str, ...]


@dataclass(slots=True)
class Prober:
    """What the pod has told so far: a line a second, as ``ragdeploy load --json`` prints them."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, lines: int) -> int:
        """Wait for so many more lines, and return the number of those that are there then.

        Raises:
            Failure: the pod has ended.
        """
        with self._arrived:
            wanted = len(self.lines) + lines
            self._arrived.wait_for(lambda: self.ended or len(self.lines) >= wanted)
            if len(self.lines) < wanted:
                raise Failure("the pod that asks the questions has ended.")
            return len(self.lines)

    def wait_ended(self) -> None:
        """Wait until the pod has asked all it was to ask."""
        with self._arrived:
            self._arrived.wait_for(lambda: self.ended)

    def seen(self, first: int = 0, last: int | None = None) -> Seen:
        """Sum up the lines from number ``first`` to before ``last``."""
        lines = self.lines[first:last]
        slowest = [line["max_ms"] for line in lines if line["max_ms"] is not None]
        return Seen(
            **{
                kind: sum(line[kind] for line in lines)
                for kind in ("answered", "degraded", "limited", "failed")
            },
            slowest=max(slowest, default=None),
            errors=tuple(sorted({error for line in lines for error in line["errors"]})),
        )

    def follow(self, process: subprocess.Popen[str]) -> None:
        """Take what the log of the pod says, until it ends."""
        for line in process.stdout or ():
            with self._arrived:
                self.lines.append(json.loads(line))
                self._arrived.notify_all()
        with self._arrived:
            self.ended = True
            self._arrived.notify_all()


@contextmanager
def asking(
    kubectl: Kubectl,
    name: str,
    *,
    api_key: str | None,
    arguments: Sequence[str],
    suffix: str,
) -> Iterator[Prober]:
    """Run the pod for the length of a block, and remove it.

    Args:
        kubectl: In the namespace of the application.
        name: The application.
        api_key: One that is good for ``query``; it lies in a Secret while the pod is there.
        arguments: Of ``ragdeploy load``: questions, rate, seconds, clients.
        suffix: What the pod is called behind the application's name.

    Raises:
        Failure: it does not start.
    """
    pod = _pod(kubectl, name, arguments=arguments, suffix=suffix)
    called = pod["metadata"]["name"]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": pod["metadata"],
        "stringData": {_KEY: api_key or ""},
    }
    items = {"apiVersion": "v1", "kind": "List", "items": [secret, pod]}
    kubectl("delete", _KINDS, called, "--ignore-not-found", "--now")  # of one that was cut off
    try:
        kubectl("create", "--filename=-", stdin=json.dumps(items))
        kubectl("wait", "--for=condition=Ready", f"pod/{called}", f"--timeout={_START_SECONDS}s")
        command = kubectl.command("logs", "--follow", f"pod/{called}")
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
        kubectl("delete", _KINDS, called, "--ignore-not-found", "--now")


def _pod(kubectl: Kubectl, name: str, *, arguments: Sequence[str], suffix: str) -> Json:
    """The pod, for the profile ``restricted``, where the API's pods may run."""
    found = json.loads(kubectl("get", "deployment", names.api(name), "--output=json"))
    api, namespace = found["spec"]["template"]["spec"], found["metadata"]["namespace"]
    placement = ("imagePullSecrets", "nodeSelector", "tolerations")
    url = f"http://{names.api(name)}.{namespace}.svc:{_PORT}"
    metadata = {"name": names.child_name(name, suffix), "labels": names.LOAD_LABELS}
    key = {"secretKeyRef": {"name": metadata["name"], "key": _KEY}}
    container = {
        "name": "load",
        "image": api["containers"][0]["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["ragdeploy", "load", "--json", f"--url={url}", *arguments],
        "env": [{"name": "RAGDEPLOY_API_KEY", "valueFrom": key}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": pods.container_security(),
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
            "securityContext": pods.pod_security(),
            "containers": [container],
        },
    }
