"""The API's Deployment, Service, autoscaler and budget."""

from __future__ import annotations

import pytest

from ragdeploy_operator.api import SecretUse
from tests.operator.unit.resources import Json, children, merged, parsed, rolls

API = ("Deployment", "docs-api")
LLM = {"llm": {"apiKeySecretRef": {"name": "openai", "key": "api-key"}}}
USE = SecretUse(path="spec.llm.apiKeySecretRef", name="openai", key="api-key")


def test_a_new_pod_is_there_before_an_old_one_goes() -> None:
    strategy = children()[API]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_pod_gets_the_drain_and_some_more_before_it_is_killed() -> None:
    pod = children({"api": {"drainSeconds": 60}}).pod("docs-api")
    pre_stop = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > 60 + pre_stop


def test_replicas_are_left_to_the_autoscaler_when_the_context_says_so() -> None:
    assert "replicas" not in children(api_replicas=None)[API]["spec"]
    assert children(api_replicas=7)[API]["spec"]["replicas"] == 7


def test_the_autoscaler_aims_at_the_cpu_of_our_container() -> None:
    autoscaling = {"minReplicas": 3, "maxReplicas": 6, "targetCPUUtilizationPercentage": 55}
    built = children({"api": {"autoscaling": autoscaling}})
    spec = built["HorizontalPodAutoscaler", "docs-api"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 6)
    assert spec["scaleTargetRef"]["name"] == "docs-api"
    (metric,) = spec["metrics"]
    assert metric["containerResource"]["container"] == built.container("docs-api")["name"]
    assert metric["containerResource"]["target"]["averageUtilization"] == 55


def test_more_metrics_are_added_to_the_cpu_and_the_behaviour_is_passed_on() -> None:
    queue = {"type": "External", "external": {"metric": {"name": "queue"}}}
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    built = children({"api": {"autoscaling": {"metrics": [queue], "behavior": behavior}}})
    spec = built["HorizontalPodAutoscaler", "docs-api"]["spec"]
    assert [metric["type"] for metric in spec["metrics"]] == ["ContainerResource", "External"]
    assert spec["metrics"][1] == queue
    assert spec["behavior"] == behavior
    assert "behavior" not in children()["HorizontalPodAutoscaler", "docs-api"]["spec"]


def test_a_single_pod_does_not_hold_up_the_drain_of_its_node() -> None:
    spec = {"api": {"replicas": 1, "autoscaling": {"enabled": False}}}
    budget = children(spec)["PodDisruptionBudget", "docs-api"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget


def test_liveness_does_not_depend_on_what_readiness_asks() -> None:
    container = children().container("docs-api")
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_pods_spread_over_nodes_and_zones_but_do_not_insist() -> None:
    spread = children().pod("docs-api")["topologySpreadConstraints"]
    assert [c["topologyKey"] for c in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert {c["whenUnsatisfiable"] for c in spread} == {"ScheduleAnyway"}


def test_variables_of_other_services_stay_out_of_the_pods() -> None:
    """The Service of a resource named rag would set RAG_API_PORT."""
    assert children(name="rag").pod("rag-api")["enableServiceLinks"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"batching": {"maxBatchSize": 7}},
        {"llm": {"temperature": 0.5}},
        {"batching": {"maxWaitMs": 60}},
        {"api": {"resources": {"requests": {"cpu": "300m"}}}},
        {"auth": {"enabled": False}},
    ],
    ids=str,
)
def test_a_setting_of_the_api_rolls_the_api_and_nothing_else(change: Json) -> None:
    assert rolls(LLM, merged(LLM, change)) == {"docs-api"}


def test_the_redis_rolls_alone_for_its_own_memory() -> None:
    assert rolls({}, {"cache": {"managed": {"maxMemory": "64Mi"}}}) == {"docs-cache"}


@pytest.mark.parametrize(
    "change",
    [
        {"api": {"replicas": 5}},
        {"api": {"autoscaling": {"maxReplicas": 20}}},
        {"monitoring": {"serviceMonitor": {"interval": "5s"}}},
        {"network": {"service": {"type": "NodePort"}, "ingress": {"host": "rag.example.com"}}},
        {"network": {"gateway": {"parentRefs": [{"name": "edge"}]}}},
        {"network": {"networkPolicy": {"allowedFrom": [{"podSelector": {}}]}}},
        {"persistentVolumeClaimPolicy": "Delete"},
        {"vectorStore": {"managed": {"storage": {"size": "20Gi"}}}},
    ],
    ids=str,
)
def test_what_pods_do_not_read_rolls_none(change: Json) -> None:
    assert rolls({}, change) == set()


def test_another_content_of_a_secret_rolls_the_pods_that_read_it() -> None:
    checksums = {"secret_checksums": {USE: "one"}}
    assert rolls(LLM, LLM, **checksums) == {"docs-api"}
    one = children(LLM, secret_checksums={USE: "one"}).pod_templates
    assert one == children(LLM, secret_checksums={USE: "one"}).pod_templates
    assert one != children(LLM, secret_checksums={USE: "two"}).pod_templates


def test_another_api_key_rolls_nothing_because_the_service_sees_it() -> None:
    own = {"auth": {"apiKeysSecretRef": {"name": "keys"}}}
    use = SecretUse(path="spec.auth.apiKeysSecretRef", name="keys", key=None)
    assert rolls({}, {}, api_key="another") == set()
    assert rolls(own, own, secret_checksums={use: "other"}) == set()


def test_another_password_rolls_the_redis_and_its_clients() -> None:
    assert rolls({}, {}, cache_password="another") == {"docs-api", "docs-indexer", "docs-cache"}


def test_the_generated_key_is_the_only_accepted_one() -> None:
    built = children()
    assert built.secret("docs-api-key") == {"api-key": "k-generated-api-key"}
    assert api_keys_volume(built.pod("docs-api")) == "docs-api-key"


def test_keys_of_the_users_own_take_the_place_of_the_generated_one() -> None:
    built = children({"auth": {"apiKeysSecretRef": {"name": "keys"}}})
    assert ("Secret", "docs-api-key") not in built
    assert api_keys_volume(built.pod("docs-api")) == "keys"


def test_no_key_is_made_or_mounted_when_none_is_asked_for() -> None:
    built = children({"auth": {"enabled": False}})
    assert ("Secret", "docs-api-key") not in built
    assert api_keys_volume(built.pod("docs-api")) is None


def api_keys_volume(pod: Json) -> str | None:
    """Secret whose files the service finds where it looks for keys."""
    config = children()["ConfigMap", "docs-config"]["data"]
    (container,) = pod["containers"]
    for mount in container["volumeMounts"]:
        if mount["mountPath"] == config["RAG_API_KEYS_DIR"]:
            (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
            return str(volume["secret"]["secretName"])
    return None


def test_a_service_monitor_is_made_where_the_kind_is_there() -> None:
    assert ("ServiceMonitor", "docs-api") in children()
    assert ("ServiceMonitor", "docs-api") not in children(kinds=frozenset())


def test_a_service_monitor_finds_the_service_and_can_be_found() -> None:
    wanted = {"labels": {"release": "prometheus"}, "interval": "10s"}
    built = children({"monitoring": {"serviceMonitor": wanted}})
    monitor = built["ServiceMonitor", "docs-api"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    selector = monitor["spec"]["selector"]
    (among,) = selector["matchExpressions"]
    found = {
        m["metadata"]["name"]: m
        for m in built.manifests
        if m["kind"] == "Service"
        and m["metadata"]["labels"].items() >= selector["matchLabels"].items()
        and m["metadata"]["labels"][among["key"]] in among["values"]
    }
    assert found.keys() == {"docs-api", "docs-indexer"}
    service = found["docs-indexer"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {"port": "http", "path": "/metrics", "interval": "10s"}
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_labels_of_a_user_do_not_replace_ours() -> None:
    wanted = {"labels": {"ragdeploy.io/name": "stolen"}}
    built = children({"monitoring": {"serviceMonitor": wanted}})
    labels = built["ServiceMonitor", "docs-api"]["metadata"]["labels"]
    assert labels["ragdeploy.io/name"] == "docs"


def test_the_first_replicas_are_those_of_the_resource() -> None:
    off = {"api": {"replicas": 3, "autoscaling": {"enabled": False}}}
    assert parsed(off).spec.api.first_replicas == 3
