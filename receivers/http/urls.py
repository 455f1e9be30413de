from django.urls import path

from receivers.http.views import AlertmanagerView, CloudEventsView, LinesView, LokiView, OtlpView, WebhookView

urlpatterns = [
    path("ingest/ndjson", LinesView.as_view()),
    path("ingest/otlp/v1/logs", OtlpView.as_view()),
    path("ingest/loki/api/v1/push", LokiView.as_view()),
    path("ingest/cloudevents", CloudEventsView.as_view()),
    path("ingest/alertmanager", AlertmanagerView.as_view()),
    path("ingest/webhook/<str:name>", WebhookView.as_view()),
]
