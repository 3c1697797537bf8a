"""Whether the API can be reached from outside the cluster, where it should be, and at which URL."""

from __future__ import annotations

from collections.abc import Iterator

from ragdeploy_operator.api.network import ServiceType
from ragdeploy_operator.build import api, names
from ragdeploy_operator.build.config import PORT
from ragdeploy_operator.objects import Json
from ragdeploy_operator.status.facts import Facts
from ragdeploy_operator.status.finding import Finding, bad, good, unknown

NETWORK = "NetworkReady"


def endpoint(facts: Facts) -> str:
    """URL of the API as callers should use it: from outside if there is a way, or else inside."""
    return _of_ingress(facts) or _of_balancer(facts) or api.url(facts.resource)


def findings(facts: Facts) -> Iterator[Finding]:
    """Tell of the way from outside, if one is asked for."""
    wanted = facts.resource.spec.network
    if wanted.ingress is not None:
        yield _ingress(facts)
    elif wanted.service.type is ServiceType.LOAD_BALANCER:
        yield _balancer(facts)


def _of_ingress(facts: Facts) -> str | None:
    wanted = facts.resource.spec.network.ingress
    if wanted is None:
        return None
    if wanted.host is not None:
        return f"{'https' if wanted.tls else 'http'}://{wanted.host}"
    address = _address(facts, "Ingress")
    return f"http://{address}" if address else None


def _of_balancer(facts: Facts) -> str | None:
    if facts.resource.spec.network.service.type is not ServiceType.LOAD_BALANCER:
        return None
    address = _address(facts, "Service")
    return f"http://{address}:{PORT}" if address else None


def _ingress(facts: Facts) -> Finding:
    name, namespace = names.api(facts.resource.name), facts.resource.namespace
    if facts.child("Ingress", name) is None:
        return bad(NETWORK, "Creating", f"Ingress {name} is not there yet.")
    if address := _address(facts, "Ingress"):
        return good(NETWORK, "Available", f"Ingress {name} is served at {address}.")
    wanted = facts.resource.spec.network.ingress
    by = f"of class {wanted.class_name}" if wanted and wanted.class_name else "of the default class"
    # not False: some controllers never say where they serve an Ingress
    return unknown(
        NETWORK,
        "NoAddress",
        f"No ingress controller {by} has given Ingress {name} an address. If that lasts and the "
        f"controller does publish them: kubectl describe ingress {name} -n {namespace}",
    )


def _balancer(facts: Facts) -> Finding:
    name, namespace = names.api(facts.resource.name), facts.resource.namespace
    if facts.child("Service", name) is None:
        return bad(NETWORK, "Creating", f"Service {name} is not there yet.")
    if address := _address(facts, "Service"):
        return good(NETWORK, "Available", f"Service {name} has the address {address}.")
    return bad(
        NETWORK,
        "NoAddress",
        f"The cluster has given Service {name} no address of a load balancer yet. If that lasts: "
        f"kubectl describe service {name} -n {namespace}",
    )


def _address(facts: Facts, kind: str) -> str | None:
    """Where the API's Service or Ingress is reached, if its controller has said so."""
    found: Json = facts.child(kind, names.api(facts.resource.name)) or {}
    for one in found.get("status", {}).get("addresses", ()):
        if address := one.get("hostname") or one.get("ip"):
            return f"[{address}]" if ":" in address else str(address)
    return None
