{{/* What the operator does in a namespace that it looks after; ragdeploy_operator/rbac.py says why. */}}
{{- define "ragdeploy-operator.namespacedRules" -}}
- apiGroups: [ragdeploy.io]
  resources: [ragdeployments]
  verbs: [get, list, watch]
- apiGroups: [ragdeploy.io]
  resources: [ragdeployments/status]
  verbs: [patch]
- apiGroups: [ragdeploy.io]
  resources: [ragdeployments/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [configmaps, secrets, serviceaccounts, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, patch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What it does besides, where it looks after the whole cluster. */}}
{{- define "ragdeploy-operator.clusterRules" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
- apiGroups: [authorization.k8s.io]
  resources: [selfsubjectaccessreviews]
  verbs: [create]
{{- end -}}

{{/* What it does in its own namespace: one writer, under a Lease. */}}
{{- define "ragdeploy-operator.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
{{- end -}}
