"""The commands that need no pod, on a real API server with the operator."""

import tarfile

import pytest

from tests.controlplane.kinds import CONFIG_MAP, SECRET
from tests.operator.conftest import bundle, operator, operator_settings  # noqa: F401 - fixtures
from tests.support.operator import install
from tests.support.waiting import eventually

pytestmark = pytest.mark.controlplane


@pytest.fixture(scope="module")
def cluster(control_plane):
    install(control_plane)
    return control_plane


def test_status_tells_of_all_and_of_one(rag, bundle):  # noqa: F811
    docs = bundle(llm={"apiKeySecretRef": {"name": "absent", "key": "k"}})
    docs.wait_condition("SecretsResolved", "False")
    table = rag("status")
    assert table.returncode == 0
    assert table.stdout.splitlines()[1].split()[0] == "docs"
    one = rag("status", "docs")
    assert "kubectl create secret generic absent" in one.stdout
    assert "\x1b" not in one.stdout  # a pipe gets no colours


def test_what_is_not_there_is_told_in_a_sentence(rag):
    assert "No RagDeployments found" in rag("status").stderr
    gone = rag("status", "nothing")
    assert gone.returncode == 1
    assert "kubectl rag: " in gone.stderr
    assert '"nothing" not found' in gone.stderr
    assert "Traceback" not in gone.stderr


def test_a_paused_application_is_left_alone_until_it_is_resumed(rag, bundle):  # noqa: F811
    docs = bundle().wait_children()
    assert rag("pause", "docs").returncode == 0
    docs.wait_condition("Paused", "True")
    assert "Paused" in rag("status").stdout
    docs.apply(retrieval={"topK": 9})
    assert rag("resume", "docs").returncode == 0
    docs.wait_child(CONFIG_MAP, "config", lambda found: found["data"]["RAG_TOP_K"] == "9")
    eventually(lambda: docs.condition("Paused") is None, what="the condition to go")


def test_a_report_has_what_is_needed_and_no_secret(rag, bundle, tmp_path):  # noqa: F811
    docs = bundle().wait_children()
    file = tmp_path / "report.tar.gz"
    assert rag("report", "docs", "--output", str(file)).returncode == 0
    with tarfile.open(file) as archive:
        held = {
            member.name: archive.extractfile(member).read().decode()
            for member in archive.getmembers()
        }
    assert "kind: RagDeployment" in held["docs-report/resource.yaml"]
    assert "docs-api" in held["docs-report/children.txt"]
    secret = docs.child(SECRET, "api-key")["data"]["api-key"]
    assert all(secret not in text for text in held.values())


def test_a_part_that_is_not_there_is_named_with_those_that_are(rag):
    wrong = rag("logs", "docs", "database")
    assert wrong.returncode == 2
    assert all(part in wrong.stderr for part in ("api", "indexer", "cache", "vector-store"))


def test_a_plan_takes_the_namespace_of_the_command_line(rag, namespace, tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text(
        "apiVersion: ragdeploy.io/v1alpha1\nkind: RagDeployment\nmetadata: {name: new}\n"
    )
    told = rag("plan", "--filename", str(file), "--exit-code")
    assert told.returncode == 2, told.stderr
    assert f"{namespace}/new" in told.stdout


def test_without_a_cluster_there_is_a_sentence_and_no_traceback(rag, tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text(
        "apiVersion: ragdeploy.io/v1alpha1\nkind: RagDeployment\nmetadata: {name: new}\n"
    )
    told = rag("--kubeconfig", str(tmp_path / "absent"), "plan", "--filename", str(file))
    assert told.returncode == 1
    assert "No cluster is known: " in told.stderr
    assert "Traceback" not in told.stderr


def test_a_drill_does_not_begin_where_something_is_wrong_already(rag, bundle):  # noqa: F811
    bundle().wait_children()
    drill = rag("drill", "docs", "--yes")
    assert drill.returncode == 1
    assert "not Ready. See `kubectl rag status docs`" in drill.stderr


def test_names_are_completed_by_kubectl(rag, bundle):  # noqa: F811
    bundle().wait_children()
    asked = rag("__complete", "status", "")
    assert asked.stdout.splitlines()[0] == "docs", asked


def test_commands_and_parts_are_completed(rag):
    assert rag("__complete", "re").stdout.splitlines()[:2] == ["resume", "report"]
    assert "vector-store" in rag("__complete", "logs", "docs", "").stdout
