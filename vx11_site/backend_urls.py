"""Every URL of a backend: what its gateways forward, and the endpoints for monitoring. No pages for people."""

from django.urls import include, path

from operator_api.http import urls
from operator_api.http.views import HealthView, MetricsView, ReadyView

urlpatterns = [
    path("api/", include([*urls.urlpatterns, *urls.aliases])),
    path("health", HealthView.as_view()),
    path("ready", ReadyView.as_view()),
    path("metrics", MetricsView.as_view()),
]
handler400 = "gateway.http.errors.bad_request"
handler403 = "gateway.http.errors.permission_denied"
handler404 = "gateway.http.errors.not_found"
handler500 = "gateway.http.errors.server_error"
