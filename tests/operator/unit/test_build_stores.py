"""The managed Redis and the managed Milvus."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from ragdeploy_operator.build import vector_store
from ragdeploy_service.adapters.redis.sentinel_url import SentinelUrl
from tests.operator.unit.resources import CACHE_PASSWORD, Json, children, parsed

STORES = {"docs-cache": "cache", "docs-vector-store": "vectorStore"}


def managed(part: str, **values: object) -> Json:
    return {part: {"managed": values}}


def redis_config(spec: Json | None = None) -> dict[str, str]:
    text = children(spec)["ConfigMap", "docs-cache"]["data"]["redis.conf"]
    return dict(line.split(maxsplit=1) for line in text.splitlines())


def test_redis_never_throws_jobs_away_and_keeps_them_over_a_restart() -> None:
    config = redis_config()
    assert config["maxmemory-policy"] == "volatile-ttl"
    assert config["appendonly"] == "yes"
    assert mounts("docs-cache")[config["dir"]] == "data"


def test_redis_keeps_to_its_memory() -> None:
    assert redis_config()["maxmemory"] == str(256 * 1024**2)
    assert redis_config(managed("cache", maxMemory="1G", resources={}))["maxmemory"] == str(10**9)


def test_redis_and_its_clients_know_the_same_password() -> None:
    built = children()
    secret = built.secret("docs-cache")
    url = urlsplit(secret["url"])
    assert url.password == CACHE_PASSWORD
    assert (url.hostname, url.port) == ("docs-cache.shop.svc", 6379)
    assert f"requirepass {CACHE_PASSWORD}\n" in secret["auth.conf"]
    folder = next(path for path, name in mounts("docs-cache").items() if name == "secret")
    assert redis_config()["include"] == f"{folder}/auth.conf"


def test_an_odd_password_survives_in_the_url() -> None:
    url = urlsplit(children(cache_password="a/b@c:d").secret("docs-cache")["url"])
    assert url.hostname == "docs-cache.shop.svc"
    assert url.password == "a%2Fb%40c%3Ad"


def test_the_address_of_milvus_is_that_of_its_service() -> None:
    built = children()
    uri = urlsplit(vector_store.uri(parsed()))
    ports = built["Service", "docs-vector-store"]["spec"]["ports"]
    assert uri.hostname == "docs-vector-store.shop.svc"
    assert uri.port in {port["port"] for port in ports}


def test_milvus_keeps_all_it_has_on_its_volume() -> None:
    environment = {e["name"]: e["value"] for e in children().container("docs-vector-store")["env"]}
    assert environment["ETCD_USE_EMBED"] == "true"
    assert environment["COMMON_STORAGETYPE"] == "local"
    assert mounts("docs-vector-store")["/var/lib/milvus"] == "data"
    assert environment["ETCD_DATA_DIR"].startswith("/var/lib/milvus/")


def test_milvus_finds_the_configuration_of_its_etcd() -> None:
    built = children()
    environment = {e["name"]: e["value"] for e in built.container("docs-vector-store")["env"]}
    folder, _, file = environment["ETCD_CONFIG_PATH"].rpartition("/")
    assert mounts("docs-vector-store")[folder] == "config"
    assert file in built["ConfigMap", "docs-vector-store"]["data"]


def test_milvus_can_be_executed_from_the_images_of_all_versions() -> None:
    """To 2.5 the files belong to root:root with mode 774, since 2.6 to 999:999."""
    security = children().pod("docs-vector-store")["securityContext"]
    assert security["runAsUser"] == 999
    assert security["runAsGroup"] == 0
    assert security["runAsNonRoot"] is True


@pytest.mark.parametrize(("name", "part"), STORES.items())
def test_volumes_are_kept_unless_told_otherwise(name: str, part: str) -> None:
    def policy(spec: Json) -> object:
        return children(spec)["StatefulSet", name]["spec"]["persistentVolumeClaimRetentionPolicy"]

    assert policy({}) == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert policy({"persistentVolumeClaimPolicy": "Delete"}) == {
        "whenDeleted": "Delete",
        "whenScaled": "Retain",
    }


@pytest.mark.parametrize(("name", "part"), STORES.items())
def test_a_volume_has_the_size_and_class_that_were_asked_for(name: str, part: str) -> None:
    spec = managed(part, storage={"size": "2048Mi", "className": "fast"})
    (claim,) = children(spec)["StatefulSet", name]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    (default,) = children()["StatefulSet", name]["spec"]["volumeClaimTemplates"]
    assert "storageClassName" not in default["spec"], "the cluster's default class applies"


@pytest.mark.parametrize(("name", "part"), STORES.items())
def test_resources_are_those_of_the_resource(name: str, part: str) -> None:
    wanted = {"requests": {"cpu": "1000m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
    container = children(managed(part, resources=wanted)).container(name)
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "512Mi"},
        "limits": {"memory": "1Gi"},
    }


def mounts(workload: str) -> dict[str, str]:
    """Volumes by the path where they are mounted."""
    return {m["mountPath"]: m["name"] for m in children().container(workload)["volumeMounts"]}


def test_three_redis_are_reached_through_their_sentinels() -> None:
    built = children(managed("cache", replicas=3))
    url = SentinelUrl.parse(built.secret("docs-cache")["url"])
    stateful_set = built["StatefulSet", "docs-cache"]["spec"]
    service = built["Service", "docs-cache"]["spec"]
    assert stateful_set["replicas"] == len(url.sentinels) == 3
    assert stateful_set["podManagementPolicy"] == "Parallel"
    host = f"{stateful_set['serviceName']}.shop.svc"
    assert url.sentinels == tuple((f"docs-cache-{n}.{host}", 26379) for n in range(3))
    assert url.redis["password"] == url.sentinel["password"] == CACHE_PASSWORD
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"]
    assert {port["port"] for port in service["ports"]} == {6379, 26379}


def test_three_redis_are_drained_one_at_a_time() -> None:
    built = children(managed("cache", replicas=3))
    budget = built["PodDisruptionBudget", "docs-cache"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"  # or they hold up the drain
    labels = built["StatefulSet", "docs-cache"]["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert ("PodDisruptionBudget", "docs-cache") not in children()


def test_all_pods_of_three_redis_may_talk_to_each_other() -> None:
    policy = children(managed("cache", replicas=3))["NetworkPolicy", "docs-cache"]["spec"]
    (ingress,) = policy["ingress"]
    assert {port["port"] for port in ingress["ports"]} == {6379, 26379}
    (peers,) = ingress["from"]
    (expression,) = peers["podSelector"]["matchExpressions"]
    assert {"api", "cache"} <= set(expression["values"])
