from django.urls import path

from operator_api.views import WindowStatusView

urlpatterns = [path(alias, WindowStatusView.as_view()) for alias in ("window/status", "chat/window/status", "windows")]
