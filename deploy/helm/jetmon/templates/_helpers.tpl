{{- define "jetmon.name" -}}
{{- if contains "jetmon" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-jetmon" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* The name of a headless service's host, as clients dial it. */}}
{{- define "jetmon.coordinators" -}}
{{ include "jetmon.name" . }}-coordinator.{{ .Release.Namespace }}.svc
{{- end }}

{{/* selector takes a list: the root, the component. */}}
{{- define "jetmon.selector" -}}
app.kubernetes.io/name: jetmon
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "jetmon.labels" -}}
{{ include "jetmon.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Values.image.tag | default (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{- define "jetmon.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* pod is what all pods have; a checker's has more ports to dial from. */}}
{{- define "jetmon.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "jetmon.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* spread takes a list: the root, the component. */}}
{{- define "jetmon.spread" -}}
topologySpreadConstraints:
{{- $selector := include "jetmon.selector" . }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $selector | nindent 8 }}
{{- end }}
{{- end }}

{{/* A role is ready when it can do its work. It lives as long as its process answers: that the
     database is away is no reason to kill it. */}}
{{- define "jetmon.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{/* env takes a list: the root, the values of the role. */}}
{{- define "jetmon.env" -}}
- name: JETMON_CERTS
  value: /etc/jetmon/certs
- name: JETMON_METRICS_LISTEN
  value: ":7803"
- name: JETMON_LOG_FORMAT
  value: json
{{- range $name, $value := (index . 1).env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* nodeCertificate takes a list: the name of the node. */}}
{{- define "jetmon.nodeCertificate" -}}
- name: certs
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ . }}-tls
          items:
            - {key: ca.crt, path: ca.crt}
            - {key: tls.crt, path: node.crt}
            - {key: tls.key, path: node.key}
{{- end }}

{{/* ordinalCertificates takes a list: the name of the StatefulSet, its replicas. A pod finds
     its own by its name; its template is that of the others, and so it sees theirs. */}}
{{- define "jetmon.ordinalCertificates" -}}
{{- $name := index . 0 -}}
- name: certs
  projected:
    defaultMode: 0440
    sources:
{{- range $i := until (int (index . 1)) }}
      - secret:
          name: {{ $name }}-{{ $i }}-tls
          items:
            {{- if eq $i 0 }}
            - {key: ca.crt, path: ca.crt}
            {{- end }}
            - {key: tls.crt, path: {{ $name }}-{{ $i }}.crt}
            - {key: tls.key, path: {{ $name }}-{{ $i }}.key}
{{- end }}
{{- end }}

{{/* certificate takes a dict: root, role, node, secret, hosts. */}}
{{- define "jetmon.certificate" -}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ .secret }}
  labels: {{- include "jetmon.labels" (list .root .role) | nindent 4 }}
spec:
  secretName: {{ .secret }}-tls
  duration: {{ .root.Values.certificates.duration }}
  renewBefore: {{ .root.Values.certificates.renewBefore }}
  uris: ["spiffe://{{ .root.Values.certificates.trustDomain }}/{{ .role }}/{{ .node }}"]
  {{- with .hosts }}
  dnsNames: {{- toYaml . | nindent 4 }}
  {{- end }}
  usages:
    - digital signature
    {{- if ne .role "checker" }}
    - server auth
    {{- end }}
    {{- if ne .role "veriflier" }}
    - client auth
    {{- end }}
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  issuerRef: {{- toYaml .root.Values.certificates.issuerRef | nindent 4 }}
{{ end }}
