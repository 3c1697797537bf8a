"""What a network that obeys NetworkPolicies would let through."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from tests.operator.unit.resources import Children, Json


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod of some namespace."""

    labels: dict[str, str]
    namespace: str = "shop"


@dataclass(frozen=True, kw_only=True)
class Host:
    """An address outside the cluster."""

    address: str = "198.51.100.9"


@dataclass(frozen=True)
class Network:
    """Decides by the policies of one bundle, as the API reference of NetworkPolicy tells it.

    >>> Network(children()).lets(Pod(labels={}), to=Pod(labels={...}), port=8000)
    """

    children: Children

    def lets(self, source: Pod | Host, *, to: Pod | Host, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection comes about: the one must be let out, and the other let in."""
        out = self._open(source, "Egress", to, port, protocol)
        return out and self._open(to, "Ingress", source, port, protocol)

    def pod(self, component: str) -> Pod:
        """A pod of the bundle."""
        (template,) = [
            template
            for template in self.children.pod_templates.values()
            if template["metadata"]["labels"]["app.kubernetes.io/component"] == component
        ]
        return Pod(labels=template["metadata"]["labels"])

    def _open(
        self, pod: Pod | Host, direction: str, peer: Pod | Host, port: int, protocol: str
    ) -> bool:
        if isinstance(pod, Host):
            return True
        policies = [
            one["spec"]
            for one in self.children.manifests
            if one["kind"] == "NetworkPolicy"
            and one["metadata"]["namespace"] == pod.namespace
            and direction in one["spec"]["policyTypes"]
            and _selects(one["spec"]["podSelector"], pod.labels)
        ]
        peers = {"Egress": "to", "Ingress": "from"}[direction]
        return not policies or any(
            _port_fits(rule, port, protocol)
            and (peers not in rule or any(_is(peer, one) for one in rule[peers]))
            for policy in policies
            for rule in policy.get(direction.lower(), ())
        )


def _port_fits(rule: Json, port: int, protocol: str) -> bool:
    return "ports" not in rule or any(
        one["protocol"] == protocol and one["port"] <= port <= one.get("endPort", one["port"])
        for one in rule["ports"]
    )


def _is(found: Pod | Host, peer: Json) -> bool:
    if isinstance(found, Host):
        block = peer.get("ipBlock")
        address = ip_address(found.address)
        return (
            block is not None
            and address in ip_network(block["cidr"])
            and not any(address in ip_network(one) for one in block.get("except", ()))
        )
    if "ipBlock" in peer:
        return False
    if "namespaceSelector" in peer:
        where = {"kubernetes.io/metadata.name": found.namespace}
        if not _selects(peer["namespaceSelector"], where):
            return False
    elif found.namespace != "shop":
        return False
    return _selects(peer.get("podSelector", {}), found.labels)


def _selects(selector: Json, labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ())
    )
