{{/* Deployment, Service and budget of one role. Given: root, name, role, server (its part of the values). */}}
{{- define "vx11.server" -}}
{{- $root := .root -}}
{{- $name := .name -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{ include "vx11.labels" $name }}
spec:
  replicas: {{ .server.replicas }}
  revisionHistoryLimit: 5
  minReadySeconds: 5
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels: {app.kubernetes.io/name: {{ $name }}}
  template:
    metadata:
      labels: {{ include "vx11.labels" $name }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "8000"
        prometheus.io/path: /metrics
        # Pods are made anew when the settings change.
        checksum/configuration: {{ include (print $root.Template.BasePath "/configuration.yaml") $root | sha256sum }}
    spec:
      # Above preStop (5 s) and the drain together, with room to leave.
      terminationGracePeriodSeconds: {{ add $root.Values.drainSeconds 30 }}
      {{- include "vx11.pod-security" $root | nindent 6 }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {app.kubernetes.io/name: {{ $name }}}
        {{- end }}
      containers:
        - name: server
          image: {{ include "vx11.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [serve]
          ports:
            - {name: http, containerPort: 8000}
          envFrom:
            - configMapRef: {name: vx11-operator}
          env:
            - {name: VX11_ROLE, value: {{ .role }}}
            {{- if eq .role "gateway" }}
            - {name: VX11_BACKEND_URL, value: "http://operator-backend:8000"}
            {{- end }}
            - name: POD_IP
              valueFrom: {fieldRef: {fieldPath: status.podIP}}
            # Once more by itself: only what stands above is put into values below.
            - name: PUBLIC_HOST
              valueFrom: {configMapKeyRef: {name: vx11-operator, key: PUBLIC_HOST}}
            - {name: VX11_PUBLIC_URL, value: "https://$(PUBLIC_HOST)"}
            - {name: VX11_ALLOWED_HOSTS, value: "$(PUBLIC_HOST),operator-backend,$(POD_IP),127.0.0.1"}
            {{- include "vx11.secret-files" $root | nindent 12 }}
            {{- if eq .role "gateway" }}
            - {name: VX11_PRINCIPAL_TOKEN_FILE, value: /run/secrets/vx11-operator/principal_token}
            - {name: VX11_SERVICE_TOKEN_FILE, value: /run/secrets/vx11-operator/service_token}
            {{- end }}
          startupProbe:
            httpGet: {path: /health, port: http}
            periodSeconds: 1
            failureThreshold: 60
            timeoutSeconds: 2
          readinessProbe:
            httpGet: {path: /ready, port: http}
            periodSeconds: 3
            failureThreshold: 2
            timeoutSeconds: 3
          livenessProbe:
            httpGet: {path: /health, port: http}
            periodSeconds: 10
            failureThreshold: 3
            timeoutSeconds: 5
          lifecycle:
            preStop:
              exec: {command: [sleep, "5"]}
          resources: {{- toYaml .server.resources | nindent 12 }}
          {{- include "vx11.confined" $root | nindent 10 }}
      volumes:
        - name: secrets
          secret:
            secretName: {{ $root.Values.secretName }}
            defaultMode: 0440
            {{- if eq .role "backend" }}
            # No tokens: it knows by the database what a gateway shows.
            items:
              - {key: database_url, path: database_url}
              - {key: redis_url, path: redis_url}
              - {key: secret_key, path: secret_key}
            {{- end }}
        {{- include "vx11.folders" $root | nindent 8 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{ include "vx11.labels" $name }}
spec:
  sessionAffinity: None
  selector: {app.kubernetes.io/name: {{ $name }}}
  ports:
    - {name: http, port: 8000, targetPort: http}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{ include "vx11.labels" $name }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {app.kubernetes.io/name: {{ $name }}}
{{- end }}
