"""NetworkPolicies: who may talk to the pods of a bundle, and whom they may talk to.

They are made from the bundle's workloads and settings, so that whatever runs and whatever address
it is given is let through. A NetworkPolicy looks at pods and ports behind a Service, not at its
name: an address in the cluster stands for all pods of its namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.build.checksum import checksum
from ragdeploy_operator.build.config import environment
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_operator.build.pods import Json
from ragdeploy_service.settings import EmbeddingBackend, RerankBackend

_STORES = (names.Component.CACHE, names.Component.VECTOR_STORE)
_CALLERS = ("api", "indexer")
"""Components whose pods use the stores."""

_OPENAI = "https://api.openai.com"
_MODEL_HUB = "https://huggingface.co"
_PORTS = {"https": 443, "http": 80}

_DNS: Json = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
_ANY_REDIS: Json = {"ports": [{"protocol": "TCP", "port": 1024, "endPort": 65535}]}
"""Its address stands in a Secret, and hosted ones listen on any port."""

_OPERATOR: Json = {
    "namespaceSelector": {},
    "podSelector": {
        "matchLabels": {
            names.COMPONENT_LABEL: "operator",
            "app.kubernetes.io/part-of": "ragdeploy",
        }
    },
}
_DRILL: Json = {"podSelector": {"matchLabels": names.LOAD_LABELS}}
_PROMETHEUS: Json = {
    "namespaceSelector": {},
    "podSelector": {
        "matchExpressions": [
            {
                "key": "app.kubernetes.io/name",
                "operator": "In",
                "values": ["prometheus", "prometheus-agent"],
            }
        ]
    },
}
"""As the Prometheus Operator and the usual charts label its pods."""


def network_policies(resource: RagDeployment, children: Sequence[Manifest]) -> list[Manifest]:
    """Make a policy for each workload among ``children``, and one for what lies outside.

    The latter is named after its content. When an address changes, the new one is made before
    the pods that use it, and the old one goes after the pods that used it.
    """
    if not resource.spec.network.network_policy.enabled:
        return []
    workloads = [child for child in children if child["kind"] in ("Deployment", "StatefulSet")]
    policies = [_for_workload(resource, workload) for workload in workloads]
    if outside := list(_outside(resource, children)):
        policies.append(_for_outside(resource, outside))
    return policies


# ---- one for each workload ----
def _for_workload(resource: RagDeployment, workload: Manifest) -> Manifest:
    component = names.Component(workload["metadata"]["labels"][names.COMPONENT_LABEL])
    if component in _STORES:
        peers: list[Json] | None = [{"podSelector": _pods(resource, [*_CALLERS, str(component)])}]
        friends = _pods(resource, [component])
    else:
        peers, friends = _peers(resource, component), _pods(resource)
    ingress: Json = {"ports": list(_ports(workload)), **({} if peers is None else {"from": peers})}
    return manifest(
        resource,
        api_version="networking.k8s.io/v1",
        kind="NetworkPolicy",
        name=workload["metadata"]["name"],
        component=component,
        spec={
            "podSelector": {"matchLabels": names.selector(resource.name, component)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [ingress],
            "egress": [_DNS, {"to": [{"podSelector": friends}]}],
        },
    )


def _peers(resource: RagDeployment, component: names.Component) -> list[Json] | None:
    """List who may call pods of the service; None for everybody, whom the API asks for a key."""
    is_api = component is names.Component.API
    allowed = resource.spec.network.network_policy.allowed_from if is_api else ()
    if allowed is None:
        return None
    scraped = resource.spec.monitoring.service_monitor.enabled is not False
    return [
        *(peer.as_json() for peer in allowed),
        {"podSelector": _pods(resource)},
        *([_DRILL] if is_api else []),
        _OPERATOR,
        *([_PROMETHEUS] if scraped else []),
    ]


def _pods(resource: RagDeployment, components: Iterable[str] = ()) -> Json:
    """Select the bundle's pods: those of some components, or all."""
    wanted = [str(component) for component in components]
    among = {"key": names.COMPONENT_LABEL, "operator": "In", "values": wanted}
    return {
        "matchLabels": names.selector(resource.name),
        **({"matchExpressions": [among]} if wanted else {}),
    }


def _ports(workload: Manifest) -> Iterator[Json]:
    for container in workload["spec"]["template"]["spec"]["containers"]:
        for port in container.get("ports", ()):
            yield {"protocol": port["protocol"], "port": port["containerPort"]}


# ---- one for what the callers need outside of the bundle ----
def _for_outside(resource: RagDeployment, egress: list[Json]) -> Manifest:
    among = {"key": names.COMPONENT_LABEL, "operator": "In", "values": list(_CALLERS)}
    return manifest(
        resource,
        api_version="networking.k8s.io/v1",
        kind="NetworkPolicy",
        name=names.egress(resource.name, checksum(egress)[:8]),
        component=names.Component.API,
        spec={
            "podSelector": {
                "matchLabels": names.selector(resource.name),
                "matchExpressions": [among],
            },
            "policyTypes": ["Egress"],
            "egress": egress,
        },
    )


def _outside(resource: RagDeployment, children: Sequence[Manifest]) -> Iterator[Json]:
    """Yield what leads to the addresses in the settings, and whatever else is allowed."""
    own = {
        f"{child['metadata']['name']}.{resource.namespace}.svc"
        for child in children
        if child["kind"] == "Service"
    }
    found: list[Json] = []
    for address in _addresses(resource):
        if _host(address) not in own:
            found += [rule for rule in _towards(address, resource.namespace) if rule not in found]
    yield from found
    if resource.spec.cache.external is not None:
        yield _ANY_REDIS
    if allowed := resource.spec.network.network_policy.allowed_to:
        yield {"to": [peer.as_json() for peer in allowed]}


def _addresses(resource: RagDeployment) -> Iterator[str]:
    """Yield all URLs in the settings, and those that the service falls back to."""
    spec = resource.spec
    settings = [value for _, value in sorted(environment(resource).items())]
    settings += [variable.value for variable in spec.api.extra_env if variable.value]
    yield from (value for value in settings if "://" in value)
    if spec.llm and spec.llm.base_url is None:
        yield _OPENAI
    if spec.embedding.is_openai and spec.embedding.base_url is None:
        yield _OPENAI
    reranks_here = spec.retrieval.rerank and spec.retrieval.rerank.backend is RerankBackend.ONNX
    if spec.embedding.backend is EmbeddingBackend.TORCH or reranks_here:
        yield _MODEL_HUB


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _towards(address: str, namespace: str) -> Iterator[Json]:
    """Yield what lets a connection to a URL through, wherever the name may lead."""
    host = _host(address)
    try:
        port = urlsplit(address).port or _PORTS.get(urlsplit(address).scheme)
    except ValueError:
        return  # no URL at all; the service says so
    if port is None or not host:
        return
    ports = [{"protocol": "TCP", "port": port}]
    try:
        number = ip_address(host)
    except ValueError:
        labels = host.split(".")
        inside = len(labels) > 2 and labels[2] == "svc"  # name.namespace.svc[.cluster.local]
        if inside or len(labels) <= 2:  # name, and name.namespace, which may be a domain too
            where = labels[1] if len(labels) > 1 else namespace
            yield _namespace(where)
        if not inside and len(labels) > 1:
            yield {"ports": ports}
        return
    if not number.is_loopback:
        block = {"cidr": f"{number}/{number.max_prefixlen}"}
        yield {"to": [{"ipBlock": block}], "ports": ports}


def _namespace(name: str) -> Json:
    return {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]}
