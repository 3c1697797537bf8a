"""How requests come to the API."""

from __future__ import annotations

from tests.operator.unit.resources import Children, Json, children

INGRESS = ("Ingress", "docs-api")


def network(**parts: Json) -> Children:
    return children({"network": parts})


def test_without_a_word_the_api_is_for_callers_in_the_cluster() -> None:
    built = children()
    assert built["Service", "docs-api"]["spec"]["type"] == "ClusterIP"
    assert INGRESS not in built


def test_only_the_apis_service_is_opened_to_the_outside() -> None:
    built = network(service={"type": "LoadBalancer", "annotations": {"cloud.example/ip": "static"}})
    service = built["Service", "docs-api"]
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"] == {"cloud.example/ip": "static"}
    for store in ("docs-cache", "docs-vector-store"):
        assert built["Service", store]["spec"]["type"] == "ClusterIP"
        assert "annotations" not in built["Service", store]["metadata"]


def test_an_ingress_sends_every_path_to_the_service_of_the_api() -> None:
    built = network(ingress={"className": "nginx", "host": "rag.example.com"})
    spec = built[INGRESS]["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert "tls" not in spec
    (rule,) = spec["rules"]
    (path,) = rule["http"]["paths"]
    assert (rule["host"], path["path"], path["pathType"]) == ("rag.example.com", "/", "Prefix")
    backend = path["backend"]["service"]
    ports = [port["port"] for port in built["Service", backend["name"]]["spec"]["ports"]]
    assert backend["port"]["number"] in ports


def test_an_ingress_without_a_host_takes_any() -> None:
    spec = network(ingress={})[INGRESS]["spec"]
    assert "host" not in spec["rules"][0]
    assert "ingressClassName" not in spec


def test_the_certificate_is_where_the_resource_says_or_in_a_secret_of_its_name() -> None:
    host = {"host": "rag.example.com"}
    named = network(ingress={**host, "tls": {"secretName": "wildcard"}})[INGRESS]["spec"]["tls"]
    assert named == [{"hosts": ["rag.example.com"], "secretName": "wildcard"}]
    unnamed = network(ingress={**host, "tls": {}})[INGRESS]["spec"]["tls"]
    assert unnamed == [{"hosts": ["rag.example.com"], "secretName": "docs-tls"}]
