from django.urls import path

from operator_api.http.chat_views import ChatView
from operator_api.http.field_views import (
    AuditRunsView,
    AuditRunView,
    EnvironmentView,
    FiguresView,
    NotHereView,
    SpawnerStatusView,
    TopologyView,
)
from operator_api.http.saved_view_views import SavedViewsView, SavedViewView
from operator_api.http.status_views import ModulesView, ModuleView, SettingsView, StatusView
from operator_api.http.trial_views import TrialEventView
from operator_api.http.views import HealthView
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
    path("views", SavedViewsView.as_view()),
    path("views/<str:view_id>", SavedViewView.as_view()),
    path("test-event", TrialEventView.as_view()),
]
# Other paths that existing front ends use for the same endpoints.
aliases = [
    path("windows", WindowStatusView.as_view()),
    path("chat/window/status", WindowStatusView.as_view()),
    path("chat/window/open", WindowOpenView.as_view()),
    path("chat/window/extend", WindowExtendView.as_view()),
    path("chat/window/close", WindowCloseView.as_view()),
]
# What front ends in the field show beside; docs/api.md has the list. A service of theirs that is not here is declined.
NOT_HERE = {
    "operator_backend": ("scorecard", "logs/tail", "explorer/presets", "explorer/query"),
    "hormiguero": ("status", "incidents", "report", "scan/once", "scan_once"),
    "spawner": ("runs", "submit"),
    "manifestator": ("status", "patchplan", "compare", "apply"),
    "madre": ("plan", "execute", "cancel", "status/<str:intent_id>"),
    "shub": ("status", "jobs", "jobs/submit"),
    "assist": ("deepseek_r1", "deepseek_r1/status"),
}
aliases += [
    path("health", HealthView.as_view()),
    path("healthz", HealthView.as_view()),
    path("env", EnvironmentView.as_view()),
    path("topology", TopologyView.as_view()),
    path("metrics", FiguresView.as_view()),
    path("audit", AuditRunsView.as_view()),
    path("audit/runs", AuditRunsView.as_view()),
    path("audit/runs/<str:run_id>", AuditRunView.as_view()),
    path("audit/<str:run_id>", AuditRunView.as_view()),
    path("audit/<str:run_id>/download", AuditRunView.as_view()),
    path("spawner/status", SpawnerStatusView.as_view()),
    *(path(name, NotHereView.as_view(service="manifestator")) for name in ("rails", "rails/lanes")),
    *(
        path(name if service == "operator_backend" else f"{service}/{name}", NotHereView.as_view(service=service))
        for service, names in NOT_HERE.items()
        for name in names
    ),
]
