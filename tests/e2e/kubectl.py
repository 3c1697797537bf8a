"""kubectl, as a person types it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


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
        done = subprocess.run(
            self._command(*arguments), input=stdin, capture_output=True, text=True, timeout=timeout
        )
        if done.returncode:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
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

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """Make a port of a pod or Service reachable; yields its URL on this machine."""
        with subprocess.Popen(
            self._command("port-forward", target, f":{port}", "--address=127.0.0.1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = _FORWARDING.match(first)
            if found is None:
                process.kill()
                raise KubectlFailed(f"kubectl port-forward {target}: {first}")
            try:
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                process.terminate()

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return ("kubectl", f"--context={self.context}", f"--namespace={self.namespace}", *arguments)
