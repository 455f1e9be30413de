from django.urls import path

from operator_api.http.chat_views import ChatView
from operator_api.http.status_views import ModulesView, ModuleView, SettingsView, StatusView
from operator_api.http.window_views import WindowCloseView, WindowExtendView, WindowOpenView, WindowStatusView

urlpatterns = [
    path("window/status", WindowStatusView.as_view()),
    path("window/open", WindowOpenView.as_view()),
    path("window/extend", WindowExtendView.as_view()),
    path("window/close", WindowCloseView.as_view()),
    path("chat", ChatView.as_view()),
    path("modules", ModulesView.as_view()),
    path("modules/<str:name>", ModuleView.as_view()),
    path("status", StatusView.as_view()),
    path("settings", SettingsView.as_view()),
]
# Other paths that existing front ends use for the same endpoints.
aliases = [
    path("windows", WindowStatusView.as_view()),
    path("chat/window/status", WindowStatusView.as_view()),
    path("chat/window/open", WindowOpenView.as_view()),
    path("chat/window/extend", WindowExtendView.as_view()),
    path("chat/window/close", WindowCloseView.as_view()),
]
