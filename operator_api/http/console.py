"""The console: the page that operators use, with sign-in and sign-out.

The page contains no events. Its script reads them through the API with the session cookie, so that one set of rules
decides what a person may see. A person without the right to read events gets the page, and the refusal on it.
"""

import posixpath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urljoin, urlsplit

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway.admin.login import ThrottledForm
from gateway.http import errors
from gateway.identity import console_sessions
from gateway.identity.principals import scopes_of_groups
from operator_api import saved_views
from operator_api.http.trial_views import TrialEventView

if TYPE_CHECKING:
    from django.contrib.auth.models import User

API_URL = "/operator/api"
# Pages that sign in or out, or only take a POST. A redirect to one of them after signing in ends in an error of Django,
# in a loop, or in a refusal.
NO_LANDING_PAGES = ("login", "logout", "set_language", "admin:login", "admin:logout")


@require_safe
@never_cache
@login_required(login_url="login")
def console(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    groups = user.groups.values_list("name", flat=True)
    context = {
        "api_url": API_URL,
        # The page switches off what the account may not do; the server decides at each request.
        "scopes": " ".join(sorted(scopes_of_groups(groups, superuser=user.is_superuser))),
        "start": saved_views.start_address_of(console_sessions.principal_id(user.pk)),
        "user_id": console_sessions.principal_id(user.pk),
        # The tabs of one session share a stream, and recognise each other by this name.
        "session": console_sessions.session_id(request.session.session_key),
        "user_name": request.user.get_username(),
        "version": settings.VERSION,
        # Behind a proxy, or for others than this browser, the server may have another address than this page.
        "public_url": settings.PUBLIC_URL,
        "may_send_test": _may_send_test(request),
    }
    return render(request, "operator_api/console.html", context)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page for people who follow a link that leads nowhere; the one error body for programs, and for the API."""
    refusal = errors.not_found(request, exception)
    is_page = request.path.startswith("/operator/") and not request.path.startswith(f"{API_URL}/")
    if not is_page or "text/html" not in request.headers.get("Accept", ""):
        return refusal
    context = {"version": settings.VERSION, "correlation_id": errors.correlation_id_of(request)}
    response = render(request, "operator_api/not_found.html", context, status=404)
    for name, value in refusal.headers.items():
        response.headers.setdefault(name, value)
    return response


def _may_send_test(request: HttpRequest) -> bool:
    """Whether the page offers it. The endpoint decides: rights may change while the page is open."""
    groups = [group.name for group in request.user.groups.all()]
    return TrialEventView.scopes["POST"] in scopes_of_groups(groups, superuser=request.user.is_superuser)


def is_no_landing_page(request: HttpRequest, address: str) -> bool:
    """Whether a browser that is redirected to this address, from one of our pages, requests one of NO_LANDING_PAGES."""
    try:
        path = urlsplit(urljoin(request.build_absolute_uri(request.path), address.strip())).path
    except ValueError:
        return True
    # Normalised as browsers and the server do it, and a little further: no other page has a similar path.
    path = posixpath.normpath(unquote(path).replace("\\", "/")).rstrip("/").casefold()
    return path in {reverse(name).rstrip("/") for name in NO_LANDING_PAGES}


class ConsoleLogin(LoginView):
    def get_redirect_url(self, *args: Any) -> str:
        """Empty means the console."""
        address = super().get_redirect_url(*args)
        return "" if is_no_landing_page(self.request, address) else address


_sign_in_to_admin = admin.site.login


def admin_login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's page, which redirects to the admin in place of one of NO_LANDING_PAGES."""
    for given in ("GET", "POST"):
        fields = getattr(request, given)
        if REDIRECT_FIELD_NAME in fields and is_no_landing_page(request, fields[REDIRECT_FIELD_NAME]):
            fields = fields.copy()
            fields[REDIRECT_FIELD_NAME] = reverse("admin:index")
            setattr(request, given, fields)
    return _sign_in_to_admin(request, extra_context)


login = ConsoleLogin.as_view(
    template_name="operator_api/login.html",
    authentication_form=ThrottledForm,
    next_page="console",
    redirect_authenticated_user=True,
    extra_context={"version": settings.VERSION},
)
# By POST alone: a link or an image on another page must not sign a person out.
logout = LogoutView.as_view(next_page="login", http_method_names=["post", "options"])
