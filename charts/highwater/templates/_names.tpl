{{- define "highwater.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{/* What everything is called. It leaves room for what names are made of it: 63 characters is all that labels take. */}}
{{- define "highwater.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full = default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $full) -}}
{{- fail (printf "fullnameOverride: write a name that begins with a letter and has no dot, for a Service cannot be called %s" $full) -}}
{{- end -}}
{{- $full -}}
{{- end }}

{{- define "highwater.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "highwater.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: write which ServiceAccount to use, or serviceAccount.create: true" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* What tells the pods of a release from all others. It never changes, for a StatefulSet may not change it. */}}
{{- define "highwater.selector" -}}
app.kubernetes.io/name: {{ include "highwater.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "highwater.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "highwater.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The labels, and those of a value: a list of the context, the value's name, and the value. */}}
{{- define "highwater.labelsWith" -}}
{{- $own := include "highwater.labels" (first .) | fromYaml -}}
{{- range $label, $_ := last . }}
{{- if or (hasKey $own $label) (eq $label "highwater.dev/leads") }}
{{- fail (printf "%s: leave out %s, which is set by Highwater" (index $ 1) $label) }}
{{- end }}
{{- end }}
{{- toYaml (merge $own (last .)) -}}
{{- end }}

{{/* What is the cluster's and not a namespace's. Neither part of the name has a dot: no two releases share it. */}}
{{- define "highwater.clusterwide" -}}
{{- $name := include "highwater.fullname" . -}}
{{- ternary $name (printf "%s.%s" .Release.Namespace $name) (eq $name .Release.Namespace) -}}
{{- end }}

{{- define "highwater.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}

{{/* What the operator may do to LagMonitors and what belongs to them, in one namespace or in all. */}}
{{- define "highwater.rules" -}}
- { apiGroups: [highwater.dev], resources: [lagmonitors], verbs: [get, list, watch] }
- { apiGroups: [highwater.dev], resources: [lagmonitors/status], verbs: [patch] }
- { apiGroups: [""], resources: [configmaps], verbs: [get, create, patch, delete] }
- { apiGroups: [events.k8s.io], resources: [events], verbs: [create] }
{{- if eq .Values.secretAccess "Cluster" }}
# It fetches Secrets by name, and can neither list nor watch them.
- { apiGroups: [""], resources: [secrets], verbs: [get] }
{{- end }}
{{- end }}

{{- define "highwater.subjects" -}}
- { kind: ServiceAccount, name: {{ include "highwater.serviceAccount" . | quote }}, namespace: {{ .Release.Namespace | quote }} }
{{- end }}

{{/* The environment of the operator: its pod, which it labels where others stand by, the proxy, and what values add. */}}
{{- define "highwater.env" -}}
{{- $proxy := dict "HTTP_PROXY" .Values.proxy.http "HTTPS_PROXY" .Values.proxy.https "NO_PROXY" .Values.proxy.noProxy -}}
{{- $env := list -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $env = append $env (dict "name" "HIGHWATER_POD" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name"))) -}}
{{- end -}}
{{- range $name, $value := $proxy }}
{{- if $value }}{{ $env = append $env (dict "name" $name "value" $value) }}{{ end }}
{{- end }}
{{- with concat $env .Values.extraEnv -}}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
