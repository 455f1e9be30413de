{{/* The reasons for what stands here are in deploy/kubernetes, whose files the chart repeats. */}}

{{- define "vx11.labels" -}}
{app.kubernetes.io/name: {{ . }}, app.kubernetes.io/part-of: vx11-operator}
{{- end }}

{{- define "vx11.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- define "vx11.pod-security" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "vx11.confined" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: secrets, mountPath: /run/secrets/vx11-operator, readOnly: true}
  - {name: data, mountPath: /var/lib/vx11-operator}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "vx11.folders" -}}
- name: data
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{/* Files of the secret as settings: those of every process. */}}
{{- define "vx11.secret-files" -}}
- {name: VX11_DATABASE_URL_FILE, value: /run/secrets/vx11-operator/database_url}
- {name: VX11_REDIS_URL_FILE, value: /run/secrets/vx11-operator/redis_url}
- {name: VX11_SECRET_KEY_FILE, value: /run/secrets/vx11-operator/secret_key}
{{- end }}
