"""Who is let in: API keys from the settings and from a folder that changes while we run."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import count

import httpx
import pytest

from tests.service.api import problem
from tests.support.process import free_port
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTION = {"question": "How do I scale the API?"}
VERSIONS = count()


def write_as_kubernetes(folder, keys):
    """Write files as the kubelet mounts a Secret: links into a folder that is swapped at once."""
    version = folder / f"..version-{next(VERSIONS)}"
    version.mkdir()
    for name, key in keys.items():
        (version / name).write_text(key)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    link.replace(folder / "..data")
    for name in keys:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for file in folder.iterdir():
        if not file.name.startswith("..") and not file.exists():
            file.unlink()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    write_as_kubernetes(folder, {"first": "key-one\n"})
    return folder


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, model, folder):
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "RAG_API_KEYS": "fixed-key, other-key",
        "RAG_API_KEYS_DIR": str(folder),
        "RAG_RATE_LIMIT_REQUESTS_PER_MINUTE": "0",
    }
    with ServiceProcess(settings, folder=tmp_path_factory.mktemp("service")) as service:
        yield service


def status(service, **headers):
    return service.http.post("/query", json=QUESTION, headers=headers).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "fixed-key"},
        {"X-API-Key": "other-key"},
        {"X-API-Key": "key-one"},
        {"Authorization": "Bearer fixed-key"},
        {"authorization": "bearer key-one"},
    ],
)
def test_a_key_is_taken_from_either_header(guarded, headers):
    assert status(guarded, **headers) == 200


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": ""}, {"Authorization": "Basic Zml4ZWQta2V5"}]
)
def test_without_a_key_the_answer_says_how_to_send_one(guarded, headers):
    response = guarded.http.post("/query", json=QUESTION, headers=headers)
    assert "X-API-Key" in problem(response, 401)["detail"]
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("key", ["wrong", "fixed-key2", "fixed-ke", "FIXED-KEY", "é"])
def test_a_wrong_key_is_refused(guarded, key):
    response = guarded.http.post("/query", json=QUESTION, headers=[(b"X-API-Key", key.encode())])
    problem(response, 403)


@pytest.mark.parametrize("path", ["/index", "/jobs/" + "0" * 32, "/nothing"])
def test_every_path_asks_for_a_key_unless_it_is_public(guarded, path):
    problem(guarded.http.post(path, json={}), 401)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/openapi.json"])
def test_probes_and_metrics_ask_for_no_key(guarded, path):
    assert guarded.http.get(path).status_code == 200


def test_details_of_health_are_shown_with_a_key_alone(guarded):
    assert guarded.http.get("/health").json() == {"status": "healthy"}
    shown = guarded.http.get("/health", headers={"X-API-Key": "fixed-key"}).json()
    assert shown["parts"]["vector_store"]["status"] == "ok"


def test_a_body_is_not_read_before_the_key(guarded):
    # 9 MB would be refused with 413 if anybody looked at it.
    response = guarded.http.post("/index", content=b"x" * 9 * 2**20)
    problem(response, 401)


def test_keys_rotate_without_a_restart(guarded, folder):
    assert status(guarded, **{"X-API-Key": "key-one"}) == 200
    write_as_kubernetes(folder, {"first": "key-one", "second": "key-two"})
    eventually(lambda: status(guarded, **{"X-API-Key": "key-two"}) == 200, what="the new key works")
    assert status(guarded, **{"X-API-Key": "key-one"}) == 200
    write_as_kubernetes(folder, {"second": "key-two"})
    eventually(lambda: status(guarded, **{"X-API-Key": "key-one"}) == 403, what="the old key ends")
    assert status(guarded, **{"X-API-Key": "key-two"}) == 200
    write_as_kubernetes(folder, {"first": "key-one"})
    eventually(lambda: status(guarded, **{"X-API-Key": "key-one"}) == 200, what="the key is back")


def test_a_file_without_a_key_is_named_in_the_log_and_disturbs_nobody(guarded, folder):
    entry = '{"key": "key-with-a-mistake", "scopes": ["query"], "tennant": "acme"}'
    write_as_kubernetes(folder, {"first": "key-one", "wrong.json": entry})

    def told():  # the folder is looked at when somebody shows a key
        assert status(guarded, **{"X-API-Key": "key-one"}) == 200
        return "file=wrong.json" in guarded.log

    eventually(told, what="the log names the file")
    assert "a field that is none of key, sha256" in guarded.log
    assert status(guarded, **{"X-API-Key": "key-with-a-mistake"}) == 403
    assert "key-with-a-mistake" not in guarded.log
    assert "tennant" not in guarded.log
    write_as_kubernetes(folder, {"first": "key-one"})


def test_a_hidden_file_is_not_a_key(guarded, folder):
    (folder / "..hidden").write_text("hidden-key")
    assert status(guarded, **{"X-API-Key": "hidden-key"}) == 403


def test_the_log_says_which_key_asked_by_its_name(guarded):
    assert status(guarded, **{"X-API-Key": "key-one"}) == 200
    eventually(lambda: "key=first" in guarded.log, what="the request is logged")


def test_no_key_stands_in_the_log(guarded):
    assert "key-one" not in guarded.log
    assert "fixed-key" not in guarded.log


def start_and_fail(tmp_path, **settings):
    """Run the service until it ends by itself; what it said."""
    environment = {"PATH": os.environ["PATH"], "RAG_DATA_DIR": str(tmp_path / "data"), **settings}
    command = [sys.executable, "-m", "ragdeploy_service.cli", "serve", "--port", str(free_port())]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_service_that_strangers_can_reach_does_not_start_without_a_key(tmp_path, model):
    said = start_and_fail(tmp_path, RAG_HOST="0.0.0.0", RAG_EMBEDDING_MODEL_DIR=str(model.folder))
    assert "RAG_API_KEYS" in said


def test_an_empty_folder_of_keys_lets_nobody_in(tmp_path, model):
    (tmp_path / "keys").mkdir()
    said = start_and_fail(
        tmp_path,
        RAG_API_KEYS_DIR=str(tmp_path / "keys"),
        RAG_EMBEDDING_MODEL_DIR=str(model.folder),
    )
    assert "RAG_API_KEYS_DIR" in said


def test_everybody_may_ask_where_keys_are_switched_off(run_service):
    service = run_service(RAG_HOST="0.0.0.0", RAG_AUTH_ENABLED="false")
    assert httpx.get(f"{service.url}/jobs/x").status_code == 404
