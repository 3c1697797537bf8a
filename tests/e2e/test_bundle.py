"""The story of one bundle, in the order in which it happens to a user."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.e2e.bundle import Bundle
from tests.e2e.conftest import EXAMPLE
from tests.e2e.in_cluster import PORT, program
from tests.e2e.in_cluster.llm import API_KEY
from tests.e2e.kubectl import Json, Kubectl
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

DOCUMENTS = {
    "staging.md": "The staging cluster is rebuilt every Monday at 06:00 UTC by the platform team.",
    "coffee.md": "The coffee machine on the third floor is descaled on the first day of a month.",
    "holidays.md": "Requests for holidays go to the team lead, three weeks ahead.",
}
QUESTION = "When is the staging cluster rebuilt?"


def best_source(answer: Json) -> str:
    return str(answer["sources"][0]["metadata"]["source"])


def service_image(bundle: Bundle) -> str:
    deployment = bundle.kubectl.get("deployment", f"{bundle.name}-api")
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def test_an_applied_example_becomes_ready_and_says_where(bundle: Bundle) -> None:
    status = bundle.resource()["status"]
    assert status["endpoint"] == f"http://docs-api.{bundle.kubectl.namespace}.svc:8000"
    line = bundle.kubectl("get", "ragd", "docs", "--no-headers").split()
    assert line[:2] == ["docs", "True"]


def test_indexed_documents_answer_questions_with_their_source(bundle: Bundle) -> None:
    with bundle.api() as api:
        api.index(DOCUMENTS)
        answer = api.query(QUESTION)
    assert best_source(answer) == "staging.md"
    assert "Monday at 06:00" in answer["answer"]
    assert answer["mode"] == "extractive"


def test_the_status_counts_the_documents(bundle: Bundle) -> None:
    def counted() -> bool:
        status = bundle.resource()["status"]
        return bool(status.get("documents") == len(DOCUMENTS) and status["indexGeneration"])

    eventually(counted, what="the documents in the status", interval=1)
    line = bundle.kubectl("get", "ragd", "docs", "--no-headers").split()
    assert line[:4] == ["docs", "True", "2", str(len(DOCUMENTS))]


def test_a_sync_of_the_same_file_finds_no_difference(bundle: Bundle) -> None:
    """What a GitOps tool does all day: apply, look, compare; with either kind of apply."""
    before = bundle.resource()["metadata"]["generation"]
    for _ in range(3):
        bundle.kubectl("apply", f"--filename={EXAMPLE}")
        bundle.kubectl("wait", "--for=condition=Ready", "ragd/docs", "--timeout=60s", timeout=70)
        bundle.kubectl("diff", f"--filename={EXAMPLE}")  # fails if there is any
        server_side = ("--server-side", "--field-manager=flux", f"--filename={EXAMPLE}")
        bundle.kubectl("apply", "--force-conflicts", *server_side)
        bundle.kubectl("diff", "--force-conflicts", *server_side)
    assert bundle.resource()["metadata"]["generation"] == before


def test_the_plugin_of_kubectl_does_what_curl_does(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "tea.md").write_text("The tea kitchen on the second floor is cleaned on Fridays.\n")
    rag = bundle.kubectl.plugin
    assert "1 documents indexed" in rag("ingest", bundle.name, str(tmp_path / "tea.md"))
    assert "Fridays" in rag("query", bundle.name, "When is the tea kitchen cleaned?")
    _, line = rag("status").splitlines()
    assert line.split()[:2] == [bundle.name, "Ready"]


def test_nobody_notices_a_drill_of_the_pods_that_may_be_missing(bundle: Bundle) -> None:
    parts = ("--part=api", "--part=indexer", "--part=cache")
    found = json.loads(bundle.kubectl.plugin("drill", bundle.name, "--yes", "--json", *parts))
    assert [(one["part"], one["failed"], one["passed"]) for one in found] == [
        ("api", 0, True),
        ("indexer", 0, True),
        ("cache", 0, True),
    ]
    assert all(one["answered"] + one["degraded"] > 0 for one in found)
    bundle.wait_until_settled()


def test_nobody_asks_without_the_key(bundle: Bundle) -> None:
    with bundle.api() as api:
        refused = api.client.post("/query", json={"question": QUESTION})
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"


def test_every_replica_gives_the_same_answer(bundle: Bundle) -> None:
    pods = bundle.pods("api")
    assert len(pods) >= 2
    answers = []
    for pod in pods:
        bundle.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=60s", timeout=70)
        with bundle.api(f"pod/{pod}") as api:
            answers.append(api.query(QUESTION))
    first = answers[0]
    for answer in answers:
        assert answer["answer"] == first["answer"]
        assert [s["id"] for s in answer["sources"]] == [s["id"] for s in first["sources"]]


def test_the_autoscaler_reads_the_cpu_of_the_api(bundle: Bundle) -> None:
    def cpu() -> int | None:
        status = bundle.kubectl.get("hpa", "docs-api")["status"]
        active = {c["type"]: c["status"] for c in status["conditions"]}
        assert active["ScalingActive"] == "True", status["conditions"]
        current = status["currentMetrics"][0]["containerResource"]["current"]
        return current.get("averageUtilization") is not None

    eventually(cpu, what="the autoscaler reads the CPU", timeout=180, interval=2)
    bundle.wait_until_settled()
    conditions = {c["type"]: c["status"] for c in bundle.resource()["status"]["conditions"]}
    assert conditions["ScalingReady"] == "True"


@pytest.fixture
def language_model(bundle: Bundle) -> Json:
    """spec.llm for a language model in the cluster."""
    bundle.kubectl.apply(
        *program("llm", image=service_image(bundle)),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "llm"},
            "stringData": {"api-key": API_KEY},
        },
    )
    bundle.kubectl("wait", "--for=condition=Ready", "pod/llm", "--timeout=60s", timeout=70)
    return {
        "baseURL": f"http://llm.{bundle.kubectl.namespace}.svc:{PORT}/v1",
        "model": "stand-in",
        "apiKeySecretRef": {"name": "llm", "key": "api-key"},
    }


@pytest.fixture
def asker(bundle: Bundle) -> Kubectl:
    """A pod that asks through the Service all the time."""
    environment = {
        "URL": f"http://docs-api.{bundle.kubectl.namespace}.svc:8000",
        "API_KEY": bundle.api_key(),
        "QUESTION": QUESTION,
    }
    bundle.kubectl.apply(*program("asker", image=service_image(bundle), environment=environment))
    bundle.kubectl("wait", "--for=condition=Ready", "pod/asker", "--timeout=60s", timeout=70)
    return bundle.kubectl


def asked(kubectl: Kubectl, *, more_than: int) -> Json:
    """Return the asker's count as soon as it has had more answers than so many."""
    with kubectl.port_forward("pod/asker", PORT) as url:

        def enough() -> Json | None:
            try:
                count: Json = httpx.get(url).json()
            except httpx.TransportError:  # the pod has not begun to listen, or the forward broke
                return None
            return count if count["answered"] > more_than else None

        return eventually(enough, what=f"more than {more_than} answers", timeout=60, interval=0.5)


def test_an_edit_rolls_out_without_a_failed_query(
    bundle: Bundle, language_model: Json, asker: Kubectl
) -> None:
    asked(asker, more_than=0)
    with bundle.replacing("api"):
        bundle.edit({"llm": language_model})
    bundle.wait_until_settled()
    before = asked(asker, more_than=0)
    after = asked(asker, more_than=before["answered"] + 20)
    assert after["failures"] == []


def test_the_language_model_writes_the_answer_from_the_passages(bundle: Bundle) -> None:
    with bundle.api() as api:
        answer = api.query(QUESTION)
    assert answer["mode"] == "generated"
    assert answer["answer"].startswith("The model says [1]:")
    assert "Monday at 06:00" in answer["answer"]
    assert best_source(answer) == "staging.md"


def test_a_setting_counts_without_a_new_pod(bundle: Bundle) -> None:
    before = bundle.pods("api")
    bundle.edit({"retrieval": {"topK": 1}})

    def counts() -> bool:
        with bundle.api() as api:
            return len(api.query(QUESTION)["sources"]) == 1

    # the kubelet brings a change to mounted files within about a minute
    eventually(counts, what="answers have one source", timeout=240, interval=2)
    assert set(before) <= set(bundle.pods("api"))  # and the autoscaler may add others


def test_documents_survive_the_loss_of_the_vector_stores_pod(bundle: Bundle) -> None:
    bundle.kubectl("delete", "pod", "docs-vector-store-0", timeout=120)

    def found_again() -> bool:
        with bundle.api() as api:
            return best_source(api.query(QUESTION)) == "staging.md"

    eventually(found_again, what="the documents are found again", timeout=180, interval=2)
    bundle.wait_until_settled()


def test_the_operator_has_had_no_error(bundle: Bundle, operator: Kubectl) -> None:
    logs = operator("logs", "--selector=app.kubernetes.io/component=operator", "--tail=-1")
    wrong = [
        line for line in logs.splitlines() if '"level": "error"' in line or "Traceback" in line
    ]
    assert wrong == []


def test_a_deleted_resource_leaves_nothing_behind(bundle: Bundle) -> None:
    assert "PersistentVolumeClaim/data-docs-vector-store-0" in bundle.children()
    bundle.kubectl("delete", "ragd", "docs", "--timeout=60s", timeout=70)
    eventually(lambda: not bundle.children(), what="all children are gone", timeout=180, interval=1)
