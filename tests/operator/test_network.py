"""How callers outside the cluster come to the API, and what is told of it."""

from tests.controlplane.kinds import (
    HTTP_ROUTE,
    INGRESS,
    NETWORK_POLICY,
    SERVICE,
)
from tests.operator.bundle import writes_of_operator
from tests.operator.definitions import HTTP_ROUTES
from tests.support.waiting import eventually

EDGE = {"name": "edge", "namespace": "infra", "sectionName": "https"}
GATEWAY = {"gateway": {"parentRefs": [EDGE], "hostnames": ["*.example.com", "rag.example.com"]}}
HOST = {"className": "nginx", "host": "rag.example.com"}


def test_an_ingress_is_made_and_its_url_is_told(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    inside = f"http://docs-api.{namespace}.svc:8000"
    wait_endpoint(docs, inside)
    assert docs.condition("NetworkReady") is None  # nobody asked for a way from outside

    docs.apply(network={"ingress": HOST})
    docs.wait_child(INGRESS, "api")
    wait_endpoint(docs, "http://rag.example.com")
    told = docs.wait_condition("NetworkReady", "Unknown", reason="NoAddress")["message"]
    assert f"kubectl describe ingress docs-api -n {namespace}" in told

    give_address(cluster, INGRESS, namespace, ip="192.0.2.7")
    assert "192.0.2.7" in docs.wait_condition("NetworkReady", "True")["message"]
    docs.apply(network={"ingress": HOST | {"tls": {}}})
    wait_endpoint(docs, "https://rag.example.com")

    docs.apply()
    docs.wait_gone(INGRESS, "api")
    wait_endpoint(docs, inside)
    assert docs.condition("NetworkReady") is None


def test_the_address_of_an_ingress_for_any_name_is_its_url(cluster, bundle, namespace):
    docs = bundle(network={"ingress": {}})
    docs.wait_child(INGRESS, "api")
    give_address(cluster, INGRESS, namespace, hostname="lb.example.net")
    wait_endpoint(docs, "http://lb.example.net")


def test_a_route_is_made_once_the_gateway_api_is_installed(cluster, operator, bundle, namespace):
    docs = bundle(network=GATEWAY)
    docs.wait_condition("NetworkReady", "False", reason="KindMissing")
    docs.wait_children()
    wait_endpoint(docs, f"http://docs-api.{namespace}.svc:8000")
    cluster.api.define(HTTP_ROUTES)
    try:
        docs.wait_child(HTTP_ROUTE, "api")
        wait_endpoint(docs, "https://rag.example.com")
        told = docs.wait_condition("NetworkReady", "False", reason="NotAccepted")["message"]
        assert "infra/edge" in told

        answer(cluster, namespace, "ResolvedRefs", "False", "RefNotPermitted", "not from here")
        told = docs.wait_condition("NetworkReady", "False", reason="RefNotPermitted")["message"]
        assert told == (
            "Gateway infra/edge (https) does not serve HTTPRoute docs-api: not from here."
        )
        answer(cluster, namespace, "Accepted", "True", "Accepted", "")
        docs.wait_condition("NetworkReady", "True")
        operator.wait_idle()
        before = cluster.audit.mark()
        answer(cluster, namespace, "Programmed", "True", "Programmed", "")
        operator.wait_idle()
        assert writes_of_operator(cluster.audit.since(before), namespace) == ()

        docs.apply()
        docs.wait_gone(HTTP_ROUTE, "api")
        docs.apply(network=GATEWAY)
        docs.wait_child(HTTP_ROUTE, "api")
    finally:
        cluster.api.undefine(HTTP_ROUTES)
    docs.wait_condition("NetworkReady", "False", reason="KindMissing", timeout=60)
    assert operator.process.running


def answer(cluster, namespace, kind, status, reason, message):
    """What the controller of a Gateway would write."""
    condition = {"type": kind, "status": status, "reason": reason, "message": message}
    parent = {"parentRef": EDGE, "controllerName": "test/gateway", "conditions": [condition]}
    body = {"status": {"parents": [parent]}}
    cluster.api.patch(HTTP_ROUTE, "docs-api", body, namespace=namespace, subresource="status")


def test_the_address_of_a_load_balancer_is_the_url(cluster, bundle, namespace):
    docs = bundle(network={"service": {"type": "LoadBalancer"}})
    docs.wait_condition("NetworkReady", "False", reason="NoAddress")
    give_address(cluster, SERVICE, namespace, ip="2001:db8::7")
    docs.wait_condition("NetworkReady", "True")
    wait_endpoint(docs, "http://[2001:db8::7]:8000")
    docs.apply(network={"service": {"type": "NodePort"}})
    docs.wait_child(SERVICE, "api", lambda service: service["spec"]["type"] == "NodePort")
    wait_endpoint(docs, f"http://docs-api.{namespace}.svc:8000")


def give_address(cluster, kind, namespace, **address):
    """What an ingress controller or a cloud would write."""
    status = {"status": {"loadBalancer": {"ingress": [address]}}}
    cluster.api.patch(kind, "docs-api", status, namespace=namespace, subresource="status")


def wait_endpoint(docs, url):
    eventually(lambda: docs.get().get("status", {}).get("endpoint") == url, what=f"endpoint {url}")


def test_old_pods_keep_their_way_out_until_new_ones_have_taken_over(cluster, bundle, namespace):
    docs = bundle(llm={"baseURL": "https://old.example.com:8443"}).wait_children().run()
    [old] = ways_out(docs)
    cluster.kubelet.rest(namespace)  # the new pods do not become ready
    docs.apply(llm={"baseURL": "https://new.example.com:9443"})
    docs.wait_condition("Reconciling", "True", reason="RollingOut")
    eventually(lambda: len(ways_out(docs)) == 2, what="a way out for the new pods too")
    cluster.kubelet.run(namespace)
    docs.wait_condition("Reconciling", "False", timeout=60)
    eventually(lambda: len(ways_out(docs)) == 1, what="the old way out to go")
    assert ways_out(docs) != [old]


def test_network_policies_go_at_once_when_they_are_switched_off(bundle):
    docs = bundle().wait_children()
    docs.apply(network={"networkPolicy": {"enabled": False}})  # no pod has been ready yet
    for suffix in ("api", "cache", "vector-store"):
        docs.wait_gone(NETWORK_POLICY, suffix)


def ways_out(docs):
    kinds = [suffix for kind, suffix in docs.children() if kind == NETWORK_POLICY]
    return [suffix for suffix in kinds if suffix.startswith("egress-")]
