{{- define "golden.labels" -}}
app.kubernetes.io/name: golden
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "golden.image" -}}{{ .Values.image.repository }}:{{ .Values.image.tag }}{{- end }}
{{- define "golden.gitImage" -}}{{ .Values.gitImage.repository }}:{{ .Values.gitImage.tag }}{{- end }}
{{- define "golden.pullSecrets" -}}
{{- $names := list }}{{ range .Values.imagePullSecrets }}{{ $names = append $names .name }}{{ end }}{{ join "," $names }}
{{- end }}
{{- define "golden.stores" -}}{{ .Values.stores.existingSecret | default "golden-stores" }}{{- end }}

{{- /* Of the hook that runs before an uninstall, with its weight. What failed stays, to be looked at. */}}
{{- define "golden.beforeUninstall" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- /*
Whether tasks are stamped: if it is wanted, and unless the cluster is known not to serve it. A chart that is rendered
without a cluster is not told what kinds there are; it then lacks the older kind too.
*/}}
{{- define "golden.stamps" -}}
{{- $group := "admissionregistration.k8s.io/v1" }}
{{- $served := .Capabilities.APIVersions.Has (printf "%s/MutatingAdmissionPolicy" $group) }}
{{- $known := .Capabilities.APIVersions.Has (printf "%s/ValidatingAdmissionPolicy" $group) }}
{{- if and .Values.admission.stampSubmittedBy (or $served (not $known)) }}yes{{ end }}
{{- end }}

{{- /* Who answers for a task that is created: its caller, or whom a delivery tool names. */}}
{{- define "golden.author" -}}
- name: isTool
  expression: {{ printf "request.userInfo.username in %s" (.Values.admission.deliveryTools | toJson) | quote }}
- name: committer
  expression: >-
    has(object.metadata.annotations) && 'goldenarch.dev/committed-by' in object.metadata.annotations ?
    object.metadata.annotations['goldenarch.dev/committed-by'] : ''
- name: author
  expression: "variables.isTool && variables.committer != '' ? variables.committer : request.userInfo.username"
{{- end }}

{{- define "golden.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "golden.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "golden.storeEnv" -}}
- {name: GOLDEN_DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ include "golden.stores" . }}, key: database-url}}}
- {name: GOLDEN_NATS_URL, valueFrom: {secretKeyRef: {name: {{ include "golden.stores" . }}, key: nats-url}}}
{{- end }}
{{- define "golden.commonEnv" -}}
- {name: GOLDEN_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: GOLDEN_LEDGER_URL, value: "http://golden-ledger.{{ .Release.Namespace }}:8080"}
- {name: GOLDEN_GATEWAY_URL, value: "http://golden-gateway.{{ .Release.Namespace }}:8080"}
- {name: GOLDEN_IMAGE, value: {{ include "golden.image" . | quote }}}
- {name: GOLDEN_GIT_IMAGE, value: {{ include "golden.gitImage" . | quote }}}
- {name: GOLDEN_STORES_SECRET, value: {{ include "golden.stores" . | quote }}}
- {name: GOLDEN_DEFAULT_PROVIDER, value: {{ .Values.defaultModel.provider | quote }}}
- {name: GOLDEN_DEFAULT_MODEL, value: {{ .Values.defaultModel.model | quote }}}
- {name: RUST_LOG, value: {{ .Values.log | quote }}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
{{- end }}
