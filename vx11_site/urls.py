"""Every URL. The event stream is not among them: a consumer answers it, see vx11_site/asgi.py."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from events.admin.history_pages import principal_page, ticket_page
from gateway.admin.login import ThrottledAdminForm
from gateway.http.views import errors_page
from operator_api import dashboard
from operator_api.http import console, urls
from operator_api.http.views import HealthView, MetricsView, ReadyView
from vx11_site.openapi import DocumentView
from watches.http import urls as watch_urls

admin.site.site_header = admin.site.site_title = "VX11 Operator"
admin.site.site_url = "/operator/"
admin.site.login_form = ThrottledAdminForm
admin.site.login = console.admin_login  # type: ignore[method-assign]  # the site asks itself for its pages
admin.site.index_title = "Access, events and operators"

api = [
    path("", include("gateway.http.urls")),
    path("", include("events.http.urls")),
    path("", include("operator_api.http.urls")),
    path("", include(watch_urls)),
    path("", include("receivers.http.urls")),
]
urlpatterns = [
    path("operator/api/", include([*api, *urls.aliases])),
    path("operator/api/v1/", include([*api, *urls.aliases])),
    path("operator/api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("operator/api/docs/", DocumentView.as_view(url_name="schema"), name="docs"),
    path("operator/api/docs/errors", errors_page, name="errors"),
    path("operator", RedirectView.as_view(pattern_name="console", query_string=True)),
    path("operator/", console.console, name="console"),
    path("operator/login", console.login, name="login"),
    path("operator/logout", console.logout, name="logout"),
    path("operator/language", set_language, name="set_language"),
    path("admin/figures", admin.site.admin_view(dashboard.figures), name="figures"),
    path("admin/tickets/<str:ticket_id>", admin.site.admin_view(ticket_page), name="ticket_history"),
    path("admin/principals/<str:public_id>", admin.site.admin_view(principal_page), name="principal_history"),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="console")),
    path("favicon.ico", RedirectView.as_view(url="/static/operator_api/favicon.svg")),
    path("health", HealthView.as_view()),
    path("ready", ReadyView.as_view()),
    path("metrics", MetricsView.as_view()),
]
handler400 = "gateway.http.errors.bad_request"
handler403 = "gateway.http.errors.permission_denied"
handler404 = "operator_api.http.console.not_found"
handler500 = "gateway.http.errors.server_error"
