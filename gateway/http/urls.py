from django.urls import path

from gateway.http.views import SseTokenView

urlpatterns = [path("events/sse-token", SseTokenView.as_view())]
