"""The operator on a real API server, and what a benchmark does there and reads off."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.procfs import processor_seconds
from tests.controlplane import ControlPlane, Entries
from tests.controlplane.api import Object
from tests.controlplane.cluster import DEFAULT_CONTROLLERS
from tests.controlplane.kinds import RAG_DEPLOYMENT
from tests.support.operator import USER, OperatorProcess, install
from tests.support.waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal.yaml"

CREATED = 201  # what the server answers to the apply of an object that was not there
_NO_CHILDREN = ("ragdeployments", "events", "leases")


@dataclass(frozen=True)
class Scene:
    """A control plane, the shipped operator at work in it, and the smallest example."""

    cluster: ControlPlane
    operator: OperatorProcess
    resource: Object

    @classmethod
    @contextmanager
    def set(cls, *, controllers: Iterable[str] = DEFAULT_CONTROLLERS) -> Iterator[Scene]:
        """Start all of it; everything is gone after the block."""
        resource = yaml.safe_load(EXAMPLE.read_text())
        with TemporaryDirectory() as folder, ControlPlane.start(controllers=controllers) as cluster:
            install(cluster)
            with OperatorProcess(cluster, folder=Path(folder)) as operator:
                scene = cls(cluster, operator, resource)
                eventually(lambda: scene.metric("leading"), what="the operator leads")
                yield scene

    # ---- what happens ----
    def create_namespace(self) -> str:
        """A namespace with the Secret that the example refers to."""
        namespace = self.cluster.create_namespace("bench")
        reference = self.resource["spec"]["llm"]["apiKeySecretRef"]
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": reference["name"]},
            "stringData": {reference["key"]: "not-a-key"},
        }
        self.cluster.api.create(secret, namespace=namespace)
        return namespace

    def apply(self, namespace: str) -> None:
        """What ``kubectl apply`` of the example does."""
        self.cluster.api.apply(self.resource, namespace=namespace)

    def annotate(self, namespace: str) -> None:
        """Change what has no effect, so that the operator must look at the resource."""
        change = {"metadata": {"annotations": {"example.test/looked-at": str(time.time_ns())}}}
        name = self.resource["metadata"]["name"]
        self.cluster.api.patch(RAG_DEPLOYMENT, name, change, namespace=namespace)

    def wait_ready(self, namespace: str) -> None:
        """Return once the resource says that it is ready."""
        name = self.resource["metadata"]["name"]
        self.cluster.api.wait_for(RAG_DEPLOYMENT, name, _is_ready, namespace=namespace, timeout=120)

    def wait_quiet(self, seconds: float) -> None:
        """Return once the operator has written nothing but its Lease for so long."""

        def still() -> bool:
            before = self.cluster.audit.mark()
            time.sleep(seconds)
            return not self.asked_since(before).writes(without=["leases"])

        eventually(still, what="the operator is done", timeout=600)

    # ---- what is read off ----
    def mark(self) -> int:
        """This moment in the audit log."""
        return self.cluster.audit.mark()

    def asked_since(self, mark: int) -> Entries:
        """What the operator has asked of the API server since."""
        return self.cluster.audit.since(mark).by(USER)

    def metric(self, name: str) -> float:
        """The sum of one of the operator's metrics over all its labels."""
        text = self.operator.http.get("/metrics").text
        samples = re.findall(rf"^ragdeploy_operator_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, samples))

    def processor_seconds(self) -> float:
        """Processor time that the operator has used so far."""
        return processor_seconds(self.operator.process.pid)

    def resident_megabytes(self) -> float:
        """Memory that the operator holds now."""
        statm = Path(f"/proc/{self.operator.process.pid}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def children_created(asked: Entries) -> Entries:
    """The writes that made a child."""
    return asked.writes(without=_NO_CHILDREN).where(lambda entry: entry.code == CREATED)


def _is_ready(resource: Object) -> bool:
    conditions = resource.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
