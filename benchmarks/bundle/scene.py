"""Where the bundle is measured: a namespace, a language model's stand-in, documents."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from ragdeploy_kubectl.kubectl import Kubectl as UsersKubectl
from ragdeploy_kubectl.prober import Prober, Seen, asking
from tests.e2e.bundle import Bundle
from tests.e2e.in_cluster import PORT, program
from tests.e2e.in_cluster.llm import API_KEY
from tests.e2e.kubectl import Json, Kubectl

OPERATOR_NAMESPACE = "ragdeploy-system"
LLM_DELAY_MS = 50
"""What a small model takes; the tutorial's service is measured with the same."""

_DOCS = Path(__file__).parents[2] / "docs"
QUESTIONS = tuple(
    question + "?"
    for question in (
        "How do I rotate an API key",
        "What happens when Redis is down",
        "Which fields roll pods",
        "How is a volume made bigger",
        "What does the condition Stalled mean",
        "How do I pause the operator",
        "How are documents split into passages",
        "What is the default rate limit",
        "How do I use Argo CD",
        "How many pods does an application get",
    )
)


@dataclass(frozen=True)
class Result:
    """What an experiment found.

    Attributes:
        headings: Of the table.
        rows: Cells of text.
        failures: What must not be, in a sentence each.
        note: What is to be known beside the table.
    """

    name: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    note: str = ""

    def must(self, condition: bool, sentence: str) -> None:
        """Note a failure unless the condition holds."""
        if not condition:
            self.failures.append(sentence)
            say(f"  FAILED: {sentence}")


def pages() -> dict[str, str]:
    """The documentation of this project, by file."""
    return {page.name: page.read_text() for page in sorted(_DOCS.glob("*.md"))}


@dataclass(frozen=True)
class Scene:
    """A namespace of its own.

    Attributes:
        kubectl: In that namespace.
        image: The service's, for what else runs there.
    """

    kubectl: Kubectl
    image: str

    @property
    def operator(self) -> Kubectl:
        """kubectl in the operator's namespace."""
        return Kubectl(self.kubectl.context, OPERATOR_NAMESPACE)

    def deploy(self, name: str, **spec: Any) -> Bundle:
        """Apply a resource, wait until it answers, and index the documentation."""
        say(f"{name}: applying")
        whole: Json = {
            "llm": {
                "baseURL": f"http://llm.{self.kubectl.namespace}.svc:{PORT}/v1",
                "model": "stand-in",
                "apiKeySecretRef": {"name": "llm", "key": "api-key"},
            },
            "auth": {"rateLimit": {"requestsPerMinute": 0}},
            "persistentVolumeClaimPolicy": "Delete",
            **spec,
        }
        bundle = Bundle(self.kubectl, name)
        bundle.apply(whole)
        bundle.wait_until_ready()
        bundle.wait_until_settled(timeout=300)
        with bundle.api() as api:
            api.index(pages())
        return bundle

    def start_model(self) -> None:
        """Run the stand-in for a language model."""
        delay = {"DELAY_MS": str(LLM_DELAY_MS)}
        self.kubectl.apply(*program("llm", image=self.image, environment=delay))
        self.kubectl("wait", "--for=condition=Ready", "pod/llm", "--timeout=120s", timeout=130)

    def stop_model(self) -> None:
        """Take the stand-in away."""
        self.kubectl("delete", "pod", "llm", "--now")

    def remove(self, bundle: Bundle) -> None:
        """Delete a resource and wait until its pods are gone: the next one needs the room."""
        self.kubectl("delete", "ragd", bundle.name, "--wait", timeout=120)
        ours = f"--selector=ragdeploy.io/name={bundle.name}"
        self.kubectl("wait", "--for=delete", "pods", ours, "--timeout=120s", timeout=130)

    @contextmanager
    def asking(
        self,
        bundle: Bundle,
        *,
        rate: float | None,
        seconds: float = 3600,
        clients: int = 16,
        suffix: str = "load",
        api_key: str | None = None,
    ) -> Iterator[Prober]:
        """Ask questions that no cache answers, for the length of a block.

        Args:
            bundle: The application.
            rate: Questions a second; None: as many as are answered.
            seconds: For how long at the most.
            clients: Questions under way at once.
            suffix: Of the pod's name.
            api_key: The generated one if None.
        """
        arguments = [*QUESTIONS, f"--seconds={seconds}", f"--clients={clients}"]
        arguments += [f"--rate={rate}"] if rate else []
        users = UsersKubectl(self.kubectl.context, self.kubectl.namespace)
        key = api_key or bundle.api_key()
        with asking(users, bundle.name, api_key=key, arguments=arguments, suffix=suffix) as prober:
            prober.wait(2)
            yield prober


@contextmanager
def scene() -> Iterator[Scene]:
    """A namespace with a language model's stand-in; it goes with all that is in it."""
    context = os.environ.get("KUBE_CONTEXT") or f"kind-{os.environ['KIND_CLUSTER']}"
    kubectl = Kubectl(context, f"bundle-{token_hex(3)}")
    kubectl("create", "namespace", kubectl.namespace)
    try:
        operator = Kubectl(context, OPERATOR_NAMESPACE).list("deployments")
        environment = operator[0]["spec"]["template"]["spec"]["containers"][0]["env"]
        image = next(one["value"] for one in environment if one["name"].endswith("SERVICE_IMAGE"))
        kubectl("create", "secret", "generic", "llm", f"--from-literal=api-key={API_KEY}")
        where = Scene(kubectl, image)
        where.start_model()
        yield where
    finally:
        kubectl("delete", "namespace", kubectl.namespace, "--wait=false")


def outcome(seen: Seen) -> tuple[str, str, str, str]:
    """Cells of a table: answered, degraded, failed, slowest."""
    slowest = "-" if seen.slowest is None else f"{seen.slowest:.0f} ms"
    return str(seen.answered), str(seen.degraded), str(seen.failed), slowest


def say(text: str) -> None:
    """Tell who waits what goes on."""
    print(text, file=sys.stderr, flush=True)
