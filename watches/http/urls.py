from django.urls import path

from watches.http.views import FiredView, MuteView, PreviewView, TargetsView, WatchesView, WatchView
from watches.http.webhook_views import WebhookStartView, WebhooksView, WebhookView

urlpatterns = [
    path("watches", WatchesView.as_view()),
    path("watches/preview", PreviewView.as_view()),
    path("watches/fired", FiredView.as_view()),
    path("watches/targets", TargetsView.as_view()),
    path("watches/<str:watch_id>", WatchView.as_view()),
    path("watches/<str:watch_id>/mute", MuteView.as_view()),
    path("webhooks", WebhooksView.as_view()),
    path("webhooks/<str:webhook_id>", WebhookView.as_view()),
    path("webhooks/<str:webhook_id>/start", WebhookStartView.as_view()),
]
