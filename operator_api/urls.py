from django.urls import path

from operator_api.views import WindowStatusView

urlpatterns = [path("window/status", WindowStatusView.as_view())]
# Other names that front ends in the field use for the same.
aliases = [path(name, WindowStatusView.as_view()) for name in ("chat/window/status", "windows")]
