"""The kinds of objects that tests look at, by a short name."""

from typing import NamedTuple


class Kind(NamedTuple):
    """An API version and a kind, as they stand in a manifest."""

    api_version: str
    kind: str


NAMESPACE = Kind("v1", "Namespace")
NODE = Kind("v1", "Node")
POD = Kind("v1", "Pod")
SERVICE = Kind("v1", "Service")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount")
CONFIG_MAP = Kind("v1", "ConfigMap")
SECRET = Kind("v1", "Secret")
EVENT = Kind("v1", "Event")
PERSISTENT_VOLUME = Kind("v1", "PersistentVolume")
PERSISTENT_VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim")
DEPLOYMENT = Kind("apps/v1", "Deployment")
REPLICA_SET = Kind("apps/v1", "ReplicaSet")
STATEFUL_SET = Kind("apps/v1", "StatefulSet")
HORIZONTAL_POD_AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget")
INGRESS = Kind("networking.k8s.io/v1", "Ingress")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice")
LEASE = Kind("coordination.k8s.io/v1", "Lease")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole")
CLUSTER_ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding")
CUSTOM_RESOURCE_DEFINITION = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
RAG_DEPLOYMENT = Kind("ragdeploy.io/v1alpha1", "RagDeployment")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute")
MILVUS = Kind("milvus.io/v1beta1", "Milvus")
PROMETHEUS_RULE = Kind("monitoring.coreos.com/v1", "PrometheusRule")
ADMISSION_POLICY = Kind("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")
ADMISSION_BINDING = Kind("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding")
