"""The compose file: it says the same as the operator's children do, for one machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragdeploy_operator.build import vector_store
from ragdeploy_operator.settings import OperatorSettings
from ragdeploy_service.problems import Problem
from ragdeploy_service.settings import ServiceSettings
from tests.operator.unit.resources import children

FILE = Path(__file__).parents[2] / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found


def default(text: str) -> str:
    """What stands for a variable that is not set: ``${NAME:-default}``."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


def test_every_setting_is_one_of_the_service_and_fits(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {f"RAG_{name.upper()}" for name in ServiceSettings.model_fields}
    for part in ("api", "indexer"):
        given = {name: default(v) for name, v in compose["services"][part]["environment"].items()}
        assert given.keys() <= known
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        settings = ServiceSettings()
        assert settings.role == part
        assert settings.llm_enabled is False  # nobody has given a key


def test_the_images_are_those_of_the_operator(compose: dict[str, Any]) -> None:
    services, operator = compose["services"], OperatorSettings()
    assert default(services["api"]["image"]) == operator.service_image
    assert operator.redis_image.endswith(f"/{default(services['redis']['image'])}")
    assert operator.milvus_image.endswith(f"/{default(services['milvus']['image'])}")


def test_the_stores_run_as_in_a_cluster(compose: dict[str, Any]) -> None:
    built = children()
    redis = built["ConfigMap", "docs-cache"]["data"]["redis.conf"]
    command = compose["services"]["redis"]["command"]
    assert "maxmemory-policy volatile-ttl" in redis
    assert "--maxmemory-policy volatile-ttl" in command
    config = built["ConfigMap", "docs-vector-store"]["data"][vector_store.ETCD_FILE]
    assert yaml.safe_load(compose["configs"]["etcd"]["content"]) == yaml.safe_load(config)


def test_it_listens_on_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert [default(port) for port in ports] == ["127.0.0.1:8000:8000"]


def test_a_balancer_that_streams_stands_before_two_servers(compose: dict[str, Any]) -> None:
    assert compose["services"]["api"]["deploy"]["replicas"] == 2
    nginx = compose["configs"]["balancer"]["content"]
    assert "proxy_buffering off" in nginx
    assert "$$api" in nginx  # compose makes one $ of two
    assert "$" not in nginx.replace("$$", "")
    told = re.search(r"return 503 '(.*)';", nginx)  # when no server answers
    assert told
    assert Problem.model_validate_json(told[1]).status == 503
