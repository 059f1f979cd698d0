{{- define "completion-bus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "completion-bus.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "completion-bus.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "completion-bus.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "completion-bus.selectorLabels" -}}
app.kubernetes.io/name: {{ include "completion-bus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "completion-bus.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "completion-bus.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "completion-bus.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "completion-bus.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* DRAIN_TIMEOUT in whole seconds, rounded up, plus the margin. A pod killed before DRAIN_TIMEOUT loses work it could have finished. */}}
{{- define "completion-bus.terminationGracePeriodSeconds" -}}
{{- $drain := .Values.config.DRAIN_TIMEOUT | default "30s" | trim }}
{{- $unit := regexFind "(ms|s|m|h|d)?$" $drain | default "s" }}
{{- $factor := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit }}
{{- $seconds := mulf (regexFind "^[0-9.]+" $drain | float64) $factor | ceil | int }}
{{- add $seconds .Values.terminationMarginSeconds }}
{{- end }}
