"""Who may talk to whom, where the network obeys NetworkPolicies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragdeploy_operator.build.names import LOAD_LABELS
from tests.operator.unit.resources import Json, children
from tests.operator.unit.traffic import Host, Network, Pod

STRANGER = Pod(labels={"app": "shop"})
WEB = Pod(labels={"app": "web"}, namespace="web")
DNS = Pod(labels={"k8s-app": "kube-dns"}, namespace="kube-system")
PROMETHEUS = Pod(labels={"app.kubernetes.io/name": "prometheus"}, namespace="monitoring")
OPERATOR = Pod(
    labels={
        "app.kubernetes.io/component": "operator",
        "app.kubernetes.io/part-of": "ragdeploy",
    },
    namespace="ragdeploy-system",
)
DRILL = Pod(labels=LOAD_LABELS)
KEY = {"name": "secret", "key": "key"}
CLOSED = {"network": {"networkPolicy": {"allowedFrom": []}}}


def network(spec: Json | None = None) -> Network:
    return Network(children(spec))


@pytest.mark.parametrize(("store", "port"), [("cache", 6379), ("vector-store", 19530)])
def test_a_store_is_for_the_api_and_nobody_else(store: str, port: int) -> None:
    net = network()
    assert net.lets(net.pod("api"), to=net.pod(store), port=port)
    assert net.lets(net.pod(store), to=net.pod(store), port=port)  # replicas of its own
    for other in (STRANGER, WEB, PROMETHEUS, Host()):
        assert not net.lets(other, to=net.pod(store), port=port)
    assert not net.lets(net.pod("api"), to=net.pod(store), port=22)


def test_a_store_talks_to_nobody_but_dns() -> None:
    net = network()
    for store in ("cache", "vector-store"):
        assert net.lets(net.pod(store), to=DNS, port=53, protocol="UDP")
        assert not net.lets(net.pod(store), to=Host(), port=443)
        assert not net.lets(net.pod(store), to=net.pod("api"), port=8000)


def test_the_indexer_uses_the_stores_and_is_called_by_prometheus_only() -> None:
    net = network()
    indexer = net.pod("indexer")
    assert net.lets(indexer, to=net.pod("cache"), port=6379)
    assert net.lets(indexer, to=net.pod("vector-store"), port=19530)
    assert net.lets(PROMETHEUS, to=indexer, port=8000)
    for other in (STRANGER, WEB, Host()):
        assert not net.lets(other, to=indexer, port=8000)


def test_everybody_may_call_the_api_unless_the_resource_says_who() -> None:
    net = network()
    for caller in (STRANGER, WEB, Host(), PROMETHEUS, OPERATOR):
        assert net.lets(caller, to=net.pod("api"), port=8000)
        assert not net.lets(caller, to=net.pod("api"), port=22)


def test_then_only_those_may_and_who_looks_after_it() -> None:
    named = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}
    block = {"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.9/32"]}}
    net = network({"network": {"networkPolicy": {"allowedFrom": [named, block]}}})
    api = net.pod("api")
    for caller in (WEB, Host(address="198.51.100.7"), PROMETHEUS, OPERATOR):
        assert net.lets(caller, to=api, port=8000)
    for caller in (STRANGER, Host(address="198.51.100.9"), Host(address="203.0.113.1")):
        assert not net.lets(caller, to=api, port=8000)


def test_the_pod_of_a_drill_asks_questions_whoever_else_may() -> None:
    net = network(CLOSED)
    assert net.lets(DRILL, to=net.pod("api"), port=8000)
    assert not net.lets(DRILL, to=net.pod("indexer"), port=8000)
    assert not net.lets(replace(DRILL, namespace="web"), to=net.pod("api"), port=8000)


def test_prometheus_may_not_where_it_is_told_not_to_scrape() -> None:
    net = network(CLOSED | {"monitoring": {"serviceMonitor": {"enabled": False}}})
    assert not net.lets(PROMETHEUS, to=net.pod("api"), port=8000)
    assert network(CLOSED).lets(PROMETHEUS, to=net.pod("api"), port=8000)


def test_a_bundle_that_needs_nobody_talks_to_nobody() -> None:
    net = network()
    api = net.pod("api")
    assert net.lets(api, to=DNS, port=53, protocol="UDP")
    assert not net.lets(api, to=Host(), port=443)
    assert not net.lets(api, to=WEB, port=80)


@pytest.mark.parametrize(
    ("spec", "destination", "port"),
    [
        ({"llm": {"apiKeySecretRef": KEY}}, Host(), 443),
        ({"llm": {"baseURL": "https://llm.example.com:8443/v1"}}, Host(), 8443),
        ({"llm": {"baseURL": "http://198.51.100.9:9000/v1"}}, Host(), 9000),
        # a Service may send to another port, so that any of the pods there must do
        ({"llm": {"baseURL": "http://vllm.web.svc:80/v1"}}, WEB, 8000),
        ({"llm": {"baseURL": "http://vllm.web.svc.cluster.local/v1"}}, WEB, 8000),
        ({"llm": {"baseURL": "http://vllm.web/v1"}}, WEB, 8000),
        ({"llm": {"baseURL": "http://vllm/v1"}}, STRANGER, 8000),
        ({"embedding": {"provider": "openai", "model": "m", "apiKeySecretRef": KEY}}, Host(), 443),
        ({"embedding": {"backend": "torch", "model": "intfloat/e5-small"}}, Host(), 443),
        (
            {"api": {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}},
            STRANGER,
            3128,
        ),
        ({"vectorStore": {"external": {"uri": "https://in01.zillizcloud.com"}}}, Host(), 443),
        ({"vectorStore": {"external": {"uri": "http://milvus.web.svc:19530"}}}, WEB, 19530),
        ({"cache": {"external": {"urlSecretRef": KEY}}}, Host(), 14711),
        ({"cache": {"external": {"urlSecretRef": KEY}}}, WEB, 6379),
        (
            {
                "network": {
                    "networkPolicy": {"allowedTo": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}
                }
            },
            Host(),
            3128,
        ),
    ],
    ids=str,
)
def test_the_api_reaches_what_the_resource_names(
    spec: Json, destination: Pod | Host, port: int
) -> None:
    net = network(spec)
    assert net.lets(net.pod("api"), to=destination, port=port)
    assert not network().lets(net.pod("api"), to=destination, port=port)
    assert not net.lets(net.pod("api"), to=Pod(labels={}, namespace="elsewhere"), port=22)


@pytest.mark.parametrize("address", ["http://[::1", "http://host:port/v1", "http://127.0.0.1:1/v1"])
def test_an_address_that_leads_nowhere_opens_nothing(address: str) -> None:
    net = network({"llm": {"baseURL": address}})
    assert not net.lets(net.pod("api"), to=Host(), port=80)
    assert [one for one in net.children.manifests if "egress-" in one["metadata"]["name"]] == []


def test_another_address_is_another_policy_so_that_old_pods_keep_theirs() -> None:
    def outside(address: str) -> str:
        built = children({"llm": {"baseURL": address}})
        (name,) = [
            name for kind, name in built.by_ref if kind == "NetworkPolicy" and "egress" in name
        ]
        return name

    assert outside("https://one.example") == outside("https://other.example")  # both on 443
    assert outside("https://one.example") != outside("https://one.example:8443")


def test_there_are_none_when_they_are_switched_off() -> None:
    built = children({"network": {"networkPolicy": {"enabled": False}}})
    assert "NetworkPolicy" not in {kind for kind, _ in built.by_ref}
