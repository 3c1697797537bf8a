"""What the NetworkPolicies keep out and let through.

That they keep nothing out that a bundle needs is shown by all other tests of this folder. Both
holds only where the cluster's network obeys policies, as kind's own does; elsewhere these tests
are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.bundle import Bundle
from tests.e2e.in_cluster import PORT, program
from tests.e2e.kubectl import Json, Kubectl
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

# Prints whether there is a way; a name that is not known is an error.
_CONNECT = """
import socket, sys
host, port = sys.argv[1:]
address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
try:
    socket.create_connection(address, timeout=3).close()
except OSError as error:
    print("no:", error)
else:
    print("yes")
"""


def reaches(kubectl: Kubectl, pod: str, host: str, port: int) -> bool:
    """Whether a connection from a pod is taken."""
    said = kubectl("exec", pod, "--", "python", "-c", _CONNECT, host, str(port))
    return said.startswith("yes")


def deny_all(pod: str) -> Json:
    """A NetworkPolicy that lets nothing in."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"nothing-to-{pod}"},
        "spec": {"podSelector": {"matchLabels": {"app": pod}}, "policyTypes": ["Ingress"]},
    }


@pytest.fixture(scope="module")
def neighbours(operator: Kubectl, kubectl: Kubectl) -> Iterator[Kubectl]:
    """Two pods that are no part of a bundle, ``friend`` and ``stranger``, where policies count."""
    [deployment] = operator.list("deployments")
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    names = ("friend", "stranger")
    for name in names:
        kubectl.apply(*program(name, image=image, runs="neighbour"))
    pods = [f"pod/{name}" for name in names]
    kubectl("wait", "--for=condition=Ready", *pods, "--timeout=60s", timeout=70)

    def reached() -> bool:
        return reaches(kubectl, "friend", "stranger", PORT)

    eventually(reached, what="one pod reaches the other", timeout=60, interval=1)
    policy = deny_all("stranger")
    kubectl.apply(policy)
    try:
        eventually(lambda: not reached(), what="the policy counts", timeout=15, interval=1)
    except AssertionError:
        pytest.skip("the network of this cluster does not enforce NetworkPolicies")
    finally:
        kubectl("delete", "networkpolicy", policy["metadata"]["name"])
    eventually(reached, what="the policy is forgotten", timeout=60, interval=1)
    yield kubectl
    kubectl("delete", "pod,service,configmap", *names, "--wait=false")


@pytest.fixture(scope="module")
def walled(neighbours: Kubectl) -> Iterator[Bundle]:
    bundle = Bundle(neighbours, "walled")
    bundle.apply({"api": {"autoscaling": {"enabled": False}, "replicas": 1}})
    bundle.wait_until_ready()
    yield bundle
    bundle.kubectl("delete", "ragd", bundle.name, "--timeout=60s", timeout=70)


def test_others_reach_the_api_and_nothing_behind_it(walled: Bundle) -> None:
    kubectl = walled.kubectl
    assert reaches(kubectl, "stranger", "walled-api", 8000)
    assert not reaches(kubectl, "stranger", "walled-cache", 6379)
    assert not reaches(kubectl, "stranger", "walled-vector-store", 19530)
    [indexer] = walled.pods("indexer")
    address = kubectl.get("pod", indexer)["status"]["podIP"]
    assert not reaches(kubectl, "stranger", address, 8000)


def test_the_api_reaches_its_stores_and_nobody_who_is_not_named(walled: Bundle) -> None:
    [api] = walled.pods("api")
    assert reaches(walled.kubectl, api, "walled-cache", 6379)
    assert reaches(walled.kubectl, api, "walled-vector-store", 19530)
    assert not reaches(walled.kubectl, api, "friend", PORT)
    walled.edit({"network": {"networkPolicy": {"allowedTo": [labelled("friend")]}}})
    eventually(
        lambda: reaches(walled.kubectl, api, "friend", PORT),
        what="the API reaches the pod that is named",
        timeout=60,
        interval=1,
    )
    assert not reaches(walled.kubectl, api, "stranger", PORT)


def test_who_may_call_the_api_can_be_narrowed(walled: Bundle) -> None:
    kubectl = walled.kubectl
    walled.edit({"network": {"networkPolicy": {"allowedFrom": [labelled("friend")]}}})
    eventually(
        lambda: not reaches(kubectl, "stranger", "walled-api", 8000),
        what="others are kept out",
        timeout=60,
        interval=1,
    )
    assert reaches(kubectl, "friend", "walled-api", 8000)
    # and those who look after it are let through: the operator, which asks the pods, and a drill
    walled.wait_until_settled()
    [found] = json.loads(kubectl.plugin("drill", walled.name, "--yes", "--json", "--part=indexer"))
    assert found["passed"]
    assert found["answered"]


def labelled(pod: str) -> Json:
    return {"podSelector": {"matchLabels": {"app": pod}}}
