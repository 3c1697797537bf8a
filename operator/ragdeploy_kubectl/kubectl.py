"""kubectl itself, which does the talking: contexts, logins and errors are those of the user."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ragdeploy_operator.build import names
from ragdeploy_operator.build.credentials import API_KEY
from ragdeploy_service.cli.console import Failure

Json = dict[str, Any]

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_PORT = 8000


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with the options that were given to the plugin."""

    context: str | None = None
    namespace: str | None = None

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run it and return what it prints.

        Raises:
            Failure: it ended with an error, which is passed on.
        """
        command = self.command(*arguments)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
        if done.returncode:
            raise Failure(done.stderr.strip().removeprefix("error: ") or f"kubectl {arguments[0]}")
        return done.stdout

    def run(self, *arguments: str) -> int:
        """Run it in the terminal of the user; its exit code."""
        return subprocess.run(self.command(*arguments)).returncode

    def command(self, *arguments: str) -> list[str]:
        """The whole command line."""
        given = (("context", self.context), ("namespace", self.namespace))
        options = [f"--{option}={value}" for option, value in given if value]
        return ["kubectl", *options, *arguments]

    def within(self, resource: Json) -> Kubectl:
        """The same, in the namespace of a resource."""
        return replace(self, namespace=resource["metadata"]["namespace"])

    # ---- what the commands look at ----
    def resource(self, name: str) -> Json:
        """One RagDeployment.

        Raises:
            Failure: there is none of this name.
        """
        found: Json = json.loads(self("get", "ragd", name, "--output=json"))
        return found

    def resources(self, *, all_namespaces: bool) -> list[Json]:
        """All RagDeployments."""
        where = ("--all-namespaces",) if all_namespaces else ()
        found: list[Json] = json.loads(self("get", "ragd", *where, "--output=json"))["items"]
        return found

    def api_key(self, resource: Json) -> str | None:
        """The generated key; None if the resource has none, or it may not be read."""
        auth = resource.get("spec", {}).get("auth", {})
        if auth.get("enabled") is False or auth.get("apiKeysSecretRef"):
            return None
        name = names.api_key(resource["metadata"]["name"])
        try:
            found = self.within(resource)("get", "secret", name, "--output=json")
        except Failure:
            return None
        return base64.b64decode(json.loads(found)["data"][API_KEY]).decode()

    @contextmanager
    def forwarded(self, resource: Json) -> Iterator[str]:
        """URL at which the API of a resource is reached from here, for the length of a block.

        Raises:
            Failure: no pod of it answers.
        """
        metadata = resource["metadata"]
        host = resource.get("status", {}).get("endpoint", "")
        if host and ".svc:" not in host:  # there is a way from outside
            yield host
            return
        ours = self.within(resource)
        with ours.port_forward(f"service/{names.api(metadata['name'])}", _PORT) as url:
            yield url

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """URL on this machine of a port of a pod or Service, for the length of a block.

        Raises:
            Failure: nothing listens there.
        """
        command = self.command("port-forward", target, f":{port}", "--address=127.0.0.1")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                lines = process.stdout or iter(())
                first = next(lines, "")
                found = _FORWARDING.search(first)
                if found is None:
                    told = "".join((first, *lines)).strip()
                    raise Failure(told.removeprefix("error: ") or f"{target} cannot be reached.")
                # It tells of each connection, and would wait for ever once nobody reads that.
                rest = threading.Thread(target=deque, args=(lines, 0), daemon=True)
                rest.start()
                try:
                    yield f"http://127.0.0.1:{found[1]}"
                finally:
                    process.terminate()
                    rest.join()
            finally:
                process.terminate()
