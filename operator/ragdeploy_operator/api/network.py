"""How requests come to the API: its Service, and an Ingress in front of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from ragdeploy_operator.api.common import ObjectName
from ragdeploy_operator.api.labels import Annotations, names_rule
from ragdeploy_operator.api.model import Model, Rule

_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
HostName = Annotated[str, StringConstraints(pattern=f"^{_DOMAIN}$", max_length=253)]


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


class Network(Model):
    """How requests come to the API."""

    service: ApiService = Field(ApiService(), description="The Service in front of the API.")
    ingress: Ingress | None = Field(
        None, description="Make an Ingress, for callers outside the cluster; none when absent."
    )
