"""The kinds that the engine watches and writes."""

from __future__ import annotations

from ragdeploy_operator.api import GROUP, KIND, PLURAL, VERSION
from ragdeploy_operator.objects import Kind

RAG_DEPLOYMENT = Kind(group=GROUP, version=VERSION, kind=KIND, plural=PLURAL)

CONFIG_MAP = Kind(group="", version="v1", kind="ConfigMap", plural="configmaps")
SECRET = Kind(group="", version="v1", kind="Secret", plural="secrets")
SERVICE = Kind(group="", version="v1", kind="Service", plural="services")
SERVICE_ACCOUNT = Kind(group="", version="v1", kind="ServiceAccount", plural="serviceaccounts")
DEPLOYMENT = Kind(group="apps", version="v1", kind="Deployment", plural="deployments")
STATEFUL_SET = Kind(group="apps", version="v1", kind="StatefulSet", plural="statefulsets")
AUTOSCALER = Kind(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
)
DISRUPTION_BUDGET = Kind(
    group="policy", version="v1", kind="PodDisruptionBudget", plural="poddisruptionbudgets"
)
INGRESS = Kind(group="networking.k8s.io", version="v1", kind="Ingress", plural="ingresses")
NETWORK_POLICY = Kind(
    group="networking.k8s.io", version="v1", kind="NetworkPolicy", plural="networkpolicies"
)
HTTP_ROUTE = Kind(
    group="gateway.networking.k8s.io", version="v1", kind="HTTPRoute", plural="httproutes"
)
SERVICE_MONITOR = Kind(
    group="monitoring.coreos.com", version="v1", kind="ServiceMonitor", plural="servicemonitors"
)
PROMETHEUS_RULE = Kind(
    group="monitoring.coreos.com", version="v1", kind="PrometheusRule", plural="prometheusrules"
)

MILVUS = Kind(group="milvus.io", version="v1beta1", kind="Milvus", plural="milvuses")

POD = Kind(group="", version="v1", kind="Pod", plural="pods")
CLAIM = Kind(group="", version="v1", kind="PersistentVolumeClaim", plural="persistentvolumeclaims")
ENDPOINT_SLICE = Kind(
    group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices"
)
EVENT = Kind(group="events.k8s.io", version="v1", kind="Event", plural="events")
LEASE = Kind(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases")
DEFINITION = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
)

CHILDREN = (
    CONFIG_MAP,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    STATEFUL_SET,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    INGRESS,
    NETWORK_POLICY,
)
"""Kinds that every cluster serves and that ``build`` may return."""

OPTIONAL_CHILDREN = (HTTP_ROUTE, MILVUS, PROMETHEUS_RULE, SERVICE_MONITOR)
"""Kinds that come with other projects; children of them are made where they are served."""

WITNESSES = (POD, CLAIM, ENDPOINT_SLICE)
"""Kinds that others make from our children; the status reads them, nothing writes them."""
