"""Whether the API can be reached from outside the cluster, where it should be, and at which URL."""

from __future__ import annotations

from collections.abc import Iterator

from ragdeploy_operator.api import ConditionStatus
from ragdeploy_operator.api.network import ServiceType
from ragdeploy_operator.build import api, names
from ragdeploy_operator.build.config import PORT
from ragdeploy_operator.objects import Json
from ragdeploy_operator.status.facts import Facts
from ragdeploy_operator.status.finding import Finding, News, bad, good, unknown

NETWORK = "NetworkReady"

_RANKS = (ConditionStatus.FALSE, ConditionStatus.UNKNOWN, ConditionStatus.TRUE)


# ---- at which URL ----
def endpoint(facts: Facts) -> str:
    """URL of the API as callers should use it: from outside if there is a way, or else inside."""
    ways = (_of_ingress(facts), _of_gateway(facts), _of_balancer(facts))
    return next(filter(None, ways), api.url(facts.resource))


def _of_ingress(facts: Facts) -> str | None:
    wanted = facts.resource.spec.network.ingress
    if wanted is None:
        return None
    if wanted.host is not None:
        return f"{'https' if wanted.tls else 'http'}://{wanted.host}"
    address = _address(facts, "Ingress")
    return f"http://{address}" if address else None


def _of_gateway(facts: Facts) -> str | None:
    wanted = facts.resource.spec.network.gateway
    if wanted is None or facts.child("HTTPRoute", names.api(facts.resource.name)) is None:
        return None
    host = next((name for name in wanted.hostnames if not name.startswith("*")), None)
    return f"{'https' if wanted.is_https else 'http'}://{host}" if host else None


def _of_balancer(facts: Facts) -> str | None:
    if facts.resource.spec.network.service.type is not ServiceType.LOAD_BALANCER:
        return None
    address = _address(facts, "Service")
    return f"http://{address}:{PORT}" if address else None


# ---- whether ----
def findings(facts: Facts) -> Iterator[Finding]:
    """Tell of the ways from outside that are asked for, the worst first."""
    found = sorted(_ways(facts), key=lambda finding: _RANKS.index(finding.status))
    if found:
        worst = found[0]
        words = " ".join(one.message for one in found if one.status is worst.status)
        yield Finding(
            type=NETWORK,
            status=worst.status,
            reason=worst.reason,
            message=words,
            news=worst.news,
        )


def _ways(facts: Facts) -> Iterator[Finding]:
    wanted = facts.resource.spec.network
    if wanted.ingress is not None:
        yield _ingress(facts)
    if wanted.gateway is not None:
        yield _route(facts)
    if wanted.service.type is ServiceType.LOAD_BALANCER:
        yield _balancer(facts)


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


def _route(facts: Facts) -> Finding:
    name, namespace = names.api(facts.resource.name), facts.resource.namespace
    if "HTTPRoute" not in facts.kinds:
        return bad(
            NETWORK,
            "KindMissing",
            "spec.network.gateway is set, but this cluster serves no HTTPRoute that the operator "
            "may use. Install the Gateway API and a controller for it, or use "
            "spec.network.ingress; the operator notices by itself.",
            news=News.BAD,
        )
    found = facts.child("HTTPRoute", name)
    if found is None:
        return bad(NETWORK, "Creating", f"HTTPRoute {name} is not there yet.")
    told = found["status"]["parents"]
    for parent in told:
        for condition in parent["conditions"]:
            if condition["type"] in ("Accepted", "ResolvedRefs") and condition["status"] == "False":
                words = condition.get("message", "").rstrip(".") or condition["reason"]
                return bad(
                    NETWORK,
                    condition["reason"],
                    f"Gateway {_gateway(parent, namespace)} does not serve HTTPRoute {name}: "
                    f"{words}.",
                    news=News.BAD,
                )
    if not told:
        wanted = facts.resource.spec.network.gateway
        refs = wanted.parent_refs if wanted else ()
        gateways = ", ".join(f"{ref.namespace or namespace}/{ref.name}" for ref in refs)
        return bad(
            NETWORK,
            "NotAccepted",
            f"No controller has taken HTTPRoute {name} yet. If that lasts, see whether the "
            f"Gateway is there and lets routes of namespace {namespace} in: {gateways}.",
        )
    by = ", ".join(_gateway(parent, namespace) for parent in told)
    return good(NETWORK, "Available", f"HTTPRoute {name} is served by Gateway {by}.")


def _gateway(parent: Json, namespace: str) -> str:
    ref = parent["parentRef"]
    section = f" ({ref['sectionName']})" if "sectionName" in ref else ""
    return f"{ref.get('namespace', namespace)}/{ref['name']}{section}"


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
