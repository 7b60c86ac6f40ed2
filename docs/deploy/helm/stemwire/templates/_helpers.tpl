{{- define "stemwire.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "stemwire.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "stemwire.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "stemwire.secret" -}}
{{ .Values.secret.existing | default (include "stemwire.name" .) }}
{{- end }}

{{- define "stemwire.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "stemwire.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* Every option is a variable: max-open is STEMWIRE_MAX_OPEN. Empty ones are left out. */}}
{{- define "stemwire.options" -}}
{{- range $option, $value := . }}
{{- if ne (toString $value) "" }}
- name: STEMWIRE_{{ $option | upper | replace "-" "_" }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* What gateways and workers have in common. */}}
{{- define "stemwire.environment" -}}
- name: STEMWIRE_CLUSTER
{{- if .Values.cluster }}
  value: {{ .Values.cluster | quote }}
{{- else }}
  valueFrom:
    secretKeyRef: { name: {{ include "stemwire.secret" . }}, key: cluster }
{{- end }}
- name: STEMWIRE_CLUSTER_SECRET_FILE
  value: /etc/stemwire/cluster-secret
{{- with .Values.otlp }}
- name: STEMWIRE_OTLP
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "stemwire.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Pods of a component: placement and rights. */}}
{{- define "stemwire.pod" -}}
serviceAccountName: {{ include "stemwire.serviceAccount" .root }}
automountServiceAccountToken: false
# Variables of Services begin with STEMWIRE_, too, if a release has that name.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- else }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "stemwire.selector" . | nindent 8 }}
{{- end }}
{{- end }}

{{- define "stemwire.container" -}}
image: {{ include "stemwire.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- with .values.environmentFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
resources: {{- toYaml .values.resources | nindent 2 }}
{{- end }}
