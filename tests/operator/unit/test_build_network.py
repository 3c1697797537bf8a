"""How requests come to the API."""

from __future__ import annotations

from tests.operator.unit.resources import Children, Json, children

ROUTE = ("HTTPRoute", "docs-api")
INGRESS = ("Ingress", "docs-api")


def network(**parts: Json) -> Children:
    return children({"network": parts})


def test_without_a_word_the_api_is_for_callers_in_the_cluster() -> None:
    built = children()
    assert built["Service", "docs-api"]["spec"]["type"] == "ClusterIP"
    assert INGRESS not in built
    assert ROUTE not in built


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


def test_a_route_sends_every_path_to_the_service_of_the_api() -> None:
    edge = {"name": "edge", "namespace": "infra", "sectionName": "https"}
    built = network(gateway={"parentRefs": [edge], "hostnames": ["rag.example.com"]})
    spec = built[ROUTE]["spec"]
    assert (spec["parentRefs"], spec["hostnames"]) == ([edge], ["rag.example.com"])
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    (backend,) = rule["backendRefs"]
    ports = [port["port"] for port in built["Service", backend["name"]]["spec"]["ports"]]
    assert backend["port"] in ports


def test_a_route_does_not_cut_streams_short() -> None:
    """A Gateway's own default may be 15 s, for the whole of an answer."""
    (rule,) = network(gateway={"parentRefs": [{"name": "edge"}]})[ROUTE]["spec"]["rules"]
    assert rule["timeouts"] == {"request": "0s"}  # without end, says the Gateway API


def test_no_route_is_made_where_the_kind_is_missing() -> None:
    gateway = {"parentRefs": [{"name": "edge"}]}
    assert ROUTE not in children({"network": {"gateway": gateway}}, kinds=frozenset())
