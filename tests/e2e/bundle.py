"""One RagDeployment on the cluster, with the questions a user has about it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.e2e.kubectl import Json, Kubectl
from tests.support.waiting import eventually

CHILDREN = (
    "pods,services,endpointslices,deployments,replicasets,statefulsets,configmaps,secrets,"
    "serviceaccounts,horizontalpodautoscalers,poddisruptionbudgets,persistentvolumeclaims"
)


@dataclass(frozen=True)
class Bundle:
    """A resource by its name, and how to reach its parts."""

    kubectl: Kubectl
    name: str

    def resource(self) -> Json:
        """Return the resource as the cluster has it."""
        return self.kubectl.get("ragd", self.name)

    def children(self) -> list[str]:
        """Name everything that belongs to it, as ``kind/name``."""
        found = self.kubectl.list(CHILDREN, selector=f"ragdeploy.io/name={self.name}")
        return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in found)

    def pods(self, component: str, *, by: str = "name") -> list[str]:
        """Name the pods of a component that are not on their way out, or give their ``uid``."""
        selector = f"ragdeploy.io/name={self.name},app.kubernetes.io/component={component}"
        found = self.kubectl.list("pods", selector=selector)
        return [p["metadata"][by] for p in found if "deletionTimestamp" not in p["metadata"]]

    def apply(self, spec: Json) -> None:
        """Apply the resource with a spec."""
        self.kubectl.apply(
            {
                "apiVersion": "ragdeploy.io/v1alpha1",
                "kind": "RagDeployment",
                "metadata": {"name": self.name},
                "spec": spec,
            }
        )

    def edit(self, spec: Json) -> None:
        """Merge a piece of spec into the resource."""
        patch = json.dumps({"spec": spec})
        self.kubectl("patch", "ragd", self.name, "--type=merge", f"--patch={patch}")

    def wait_until_ready(self, *, timeout: float = 300) -> None:
        """Wait as the notes say."""
        wait = ("wait", "--for=condition=Ready", f"ragd/{self.name}", f"--timeout={timeout:.0f}s")
        self.kubectl(*wait, timeout=timeout + 10)

    def wait_until_settled(self, *, timeout: float = 180) -> None:
        """Wait until the last edit is live everywhere."""

        def settled() -> bool:
            resource = self.resource()
            generation = resource["metadata"]["generation"]
            states = {
                condition["type"]: condition["status"]
                for condition in resource["status"]["conditions"]
                if condition["observedGeneration"] == generation
            }
            return states.get("Ready") == "True" and states.get("Reconciling") == "False"

        eventually(settled, what="the last edit is live", timeout=timeout, interval=1)

    @contextmanager
    def replacing(self, component: str, *, timeout: float = 240) -> Iterator[None]:
        """After the block, wait until all pods of a component are others than before it."""
        old = set(self.pods(component, by="uid"))  # a StatefulSet's new pods keep the names
        yield

        def replaced() -> bool:
            now = set(self.pods(component, by="uid"))
            return len(now) >= len(old) and not now & old

        eventually(replaced, what=f"new {component} pods", timeout=timeout, interval=1)

    def api_key(self) -> str:
        """Read the generated key as the notes say, or one that users brought."""
        own = self.resource()["spec"]["auth"].get("apiKeysSecretRef")
        secret = self.kubectl.get("secret", own["name"] if own else f"{self.name}-api-key")
        return base64.b64decode(next(iter(secret["data"].values()))).decode()

    @contextmanager
    def api(self, target: str | None = None) -> Iterator[Api]:
        """Reach the API through its Service, or one pod of it."""
        with (
            self.kubectl.port_forward(target or f"service/{self.name}-api", 8000) as url,
            httpx.Client(base_url=url, timeout=30) as client,
        ):
            yield Api(client, {"X-API-Key": self.api_key()})


@dataclass(frozen=True)
class Api:
    """The query and index API with a key."""

    client: httpx.Client
    headers: dict[str, str]

    def index(self, documents: dict[str, str]) -> None:
        """Index texts by their sources, and wait until they can be found."""
        body = {
            "documents": list(documents.values()),
            "metadatas": [{"source": source} for source in documents],
        }
        answer = self.client.post("/index", json=body, headers=self.headers)
        assert answer.status_code == 202, answer.text
        where = answer.headers["Location"]

        def done() -> bool:
            job = self.client.get(where, headers=self.headers).raise_for_status().json()
            assert job["state"] != "failed", job
            return bool(job["state"] == "succeeded")

        eventually(done, what="the documents are indexed", timeout=60, interval=0.2)

    def query(self, question: str) -> Json:
        """Ask."""
        body = {"question": question, "use_cache": False}
        answer = self.client.post("/query", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found
