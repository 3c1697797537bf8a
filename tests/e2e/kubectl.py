"""kubectl, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragdeploy_kubectl.kubectl import Kubectl as UsersKubectl

Json = dict[str, Any]


class KubectlFailed(AssertionError):
    """kubectl ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a context and a namespace."""

    context: str
    namespace: str

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run it and return what it prints.

        Raises:
            KubectlFailed: it ended with an error.
        """
        return self._run(self._command(*arguments), arguments, input=stdin, timeout=timeout)

    def plugin(self, *arguments: str, timeout: float = 300) -> str:
        """Run ``kubectl rag``, the plugin that is installed beside this Python."""
        where = (f"--context={self.context}", f"--namespace={self.namespace}")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        command = ("kubectl", "rag", *where, *arguments)
        return self._run(command, arguments, timeout=timeout, env={**os.environ, "PATH": path})

    def _run(self, command: Sequence[str], arguments: Sequence[str], **options: Any) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, capture_output=True, text=True, **options
        )
        if done.returncode:
            told = f"{done.stdout}{done.stderr}".strip()
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {told}")
        return done.stdout

    def get(self, kind: str, name: str) -> Json:
        """Return one object."""
        found: Json = json.loads(self("get", kind, name, "--output=json"))
        return found

    def list(self, kinds: str, *, selector: str = "") -> list[Json]:
        """Return the objects of one or more kinds, separated by commas."""
        answer = self("get", kinds, f"--selector={selector}", "--output=json")
        items: list[Json] = json.loads(answer)["items"]
        return items

    def apply(self, *objects: Json) -> None:
        """Apply objects."""
        documents = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self("apply", "--filename=-", stdin=json.dumps(documents))

    def port_forward(self, target: str, port: int) -> AbstractContextManager[str]:
        """Make a port of a pod or Service reachable; its URL on this machine, for a block."""
        return UsersKubectl(self.context, self.namespace).port_forward(target, port)

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return ("kubectl", f"--context={self.context}", f"--namespace={self.namespace}", *arguments)
