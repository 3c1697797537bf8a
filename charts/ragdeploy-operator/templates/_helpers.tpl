{{/* The name of all objects: "ragdeploy" becomes "ragdeploy-operator", "prod" becomes "prod-ragdeploy-operator". */}}
{{- define "ragdeploy-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Release.Name $name -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ragdeploy-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "ragdeploy-operator.labels" -}}
{{ include "ragdeploy-operator.selectorLabels" . }}
app.kubernetes.io/part-of: ragdeploy
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "ragdeploy-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "ragdeploy-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The operator's image; a digest wins over a tag. */}}
{{- define "ragdeploy-operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.registry -}}{{ $image.registry }}/{{- end -}}
{{- $image.repository -}}
{{- if $image.digest -}}@{{ $image.digest }}{{- else -}}:{{ default .Chart.AppVersion $image.tag }}{{- end -}}
{{- end -}}

{{/* The namespaces looked after, separated by commas; nothing means all. */}}
{{- define "ragdeploy-operator.watchNamespaces" -}}
{{- if not .Values.clusterWide -}}
{{- default (list .Release.Namespace) .Values.watchNamespaces | uniq | join "," -}}
{{- else if .Values.watchNamespaces -}}
{{- fail "watchNamespaces has no effect while clusterWide is true: set clusterWide=false, or leave watchNamespaces empty" -}}
{{- end -}}
{{- end -}}

{{- define "ragdeploy-operator.subject" -}}
- kind: ServiceAccount
  name: {{ include "ragdeploy-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* One of a few words, or an error that lists them: call it with (list "logFormat" .Values.logFormat "json" "text"). */}}
{{- define "ragdeploy-operator.oneOf" -}}
{{- $allowed := slice . 2 -}}
{{- if not (has (index . 1) $allowed) -}}
{{- fail (printf "%s is %q; it must be one of %s" (index . 0) (index . 1) (join ", " $allowed)) -}}
{{- end -}}
{{- index . 1 -}}
{{- end -}}
