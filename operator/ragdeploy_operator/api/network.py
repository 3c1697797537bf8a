"""How requests come to the API, and who may talk to whom."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from ragdeploy_operator.api.common import ObjectName
from ragdeploy_operator.api.labels import Annotations, Labels, names_rule
from ragdeploy_operator.api.model import Model, Rule

_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
HostName = Annotated[str, StringConstraints(pattern=f"^{_DOMAIN}$", max_length=253)]


RouteHostName = Annotated[str, StringConstraints(pattern=rf"^(\*\.)?{_DOMAIN}$", max_length=253)]
Cidr = Annotated[
    str,
    StringConstraints(pattern=r"^([0-9.]{7,15}/[0-9]{1,2}|[0-9a-f:.]+/[0-9]{1,3})$", max_length=64),
]


class ServiceType(StrEnum):
    """From where the API's Service can be reached."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


class ApiService(Model):
    """The Service in front of the API."""

    type: ServiceType = Field(
        ServiceType.CLUSTER_IP,
        description="ClusterIP for callers in the cluster; NodePort and LoadBalancer for others, "
        "without TLS.",
    )
    annotations: Annotations | None = Field(
        None, description="Annotations, by which load balancers of most clouds are configured."
    )

    rules = (names_rule("service", "annotations", "annotations"),)


class IngressTls(Model):
    """HTTPS at the Ingress."""

    secret_name: ObjectName | None = Field(
        None,
        description="Secret with the certificate (tls.crt, tls.key); <name>-tls when absent. "
        "cert-manager makes it where an annotation asks it to.",
    )


class Ingress(Model):
    """An Ingress, for callers outside the cluster."""

    class_name: ObjectName | None = Field(
        None, description="IngressClass; the cluster's default when absent."
    )
    host: HostName | None = Field(
        None, description="Name by which callers reach it; any name when absent."
    )
    tls: IngressTls | None = Field(None, description="Serve HTTPS, under the name in host.")
    annotations: Annotations | None = Field(
        None,
        description="Annotations, by which ingress controllers and cert-manager are configured. "
        "Answers are streams that may take llm.timeoutSeconds: raise a shorter timeout.",
    )

    rules = (
        Rule(
            cel="!has(self.tls) || has(self.host)",
            message="ingress.tls needs ingress.host, the name that the certificate is for",
            field=".tls",
            holds=lambda self: self.tls is None or self.host is not None,
        ),
        names_rule("ingress", "annotations", "annotations"),
    )


class ParentRef(Model):
    """A Gateway, or one of its listeners."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: ObjectName | None = Field(
        None, description="Its namespace; the resource's own when absent."
    )
    section_name: ObjectName | None = Field(
        None, description="Name of a listener; all that fit when absent."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Port of a listener; all that fit when absent."
    )


class Gateway(Model):
    """An HTTPRoute of the Gateway API, for callers outside the cluster."""

    parent_refs: tuple[ParentRef, ...] = Field(
        min_length=1,
        max_length=32,
        description="Gateways to which the route is attached. One by port 443, or by a listener "
        "whose name begins with https, makes the endpoint an https one.",
    )
    hostnames: tuple[RouteHostName, ...] = Field(
        (),
        max_length=16,
        description="Names by which callers reach it, such as rag.example.com or *.example.com; "
        "those of the Gateway when absent.",
    )

    @property
    def is_https(self) -> bool:
        """Whether a listener is named that can only be one for HTTPS."""
        return any(
            ref.port == 443 or (ref.section_name or "").startswith("https")
            for ref in self.parent_refs
        )


class LabelSelector(Model):
    """Which pods or namespaces; all if it names no label."""

    match_labels: Labels | None = Field(None, description="Labels that they must have.")

    rules = (names_rule("selector", "matchLabels", "labels"),)


class IpBlock(Model):
    """A range of IP addresses."""

    cidr: Cidr = Field(description="The range, such as 203.0.113.0/24 or 2001:db8::/64.")
    but: tuple[Cidr, ...] = Field(
        (), alias="except", max_length=16, description="Ranges within it that are left out."
    )


class Peer(Model):
    """Pods, or addresses outside the cluster, as a NetworkPolicy names them."""

    namespace_selector: LabelSelector | None = Field(
        None,
        description="Namespaces, for example by their label kubernetes.io/metadata.name; "
        "with podSelector, the pods that it selects in them.",
    )
    pod_selector: LabelSelector | None = Field(
        None, description="Pods; of the resource's own namespace, if no other is selected."
    )
    ip_block: IpBlock | None = Field(None, description="Addresses, for what is not a pod.")

    rules = (
        Rule(
            cel="has(self.ipBlock) != (has(self.namespaceSelector) || has(self.podSelector))",
            message="a peer needs either ipBlock, or namespaceSelector or podSelector or both",
            holds=lambda self: (
                (self.ip_block is not None)
                != (self.namespace_selector is not None or self.pod_selector is not None)
            ),
        ),
    )

    def as_json(self) -> dict[str, Any]:
        """Write it as a peer of a NetworkPolicy."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


class NetworkPolicy(Model):
    """NetworkPolicies, for clusters whose network obeys them."""

    enabled: bool = Field(
        True, description="Let pods talk only to those whom they need, and only by their ports."
    )
    allowed_from: tuple[Peer, ...] | None = Field(
        None,
        max_length=32,
        description="Who may call the API; everybody when absent. Pods of the Prometheus Operator, "
        "of this operator and of kubectl rag drill may in any case. An ingress controller must be "
        "among them.",
    )
    allowed_to: tuple[Peer, ...] | None = Field(
        None,
        max_length=32,
        description="To whom the API's pods may talk besides DNS, the stores and the addresses in "
        "this resource; a proxy, for example.",
    )


class Network(Model):
    """How requests come to the API."""

    service: ApiService = Field(ApiService(), description="The Service in front of the API.")
    ingress: Ingress | None = Field(
        None, description="Make an Ingress, for callers outside the cluster; none when absent."
    )
    gateway: Gateway | None = Field(
        None,
        description="Make an HTTPRoute, where the cluster has that kind; none when absent.",
    )
    network_policy: NetworkPolicy = Field(
        NetworkPolicy(), description="Who may talk to the pods, and whom they may talk to."
    )
