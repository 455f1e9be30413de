"""What the OpenAPI document describes: the API under its first name, without aliases, admin and console."""

from django.urls import include, path

from operator_api.views import HealthView, ReadyView
from vx11_site.urls import api

urlpatterns = [
    path("operator/api/", include(api)),
    path("health", HealthView.as_view()),
    path("ready", ReadyView.as_view()),
]
