"""The console: the page that operators look at, and the way in and out of it.

The page carries no events. Its script reads them through the API with the session cookie, so that one set of rules
decides what a person may see. Somebody without the right to read events gets the page, and on it the refusal.
"""

import posixpath
from typing import Any
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
from gateway.identity import console_sessions

API_URL = "/operator/api"
# Ways in and out. To be led to one of them after signing in is an error of Django's, a circle, or a refusal.
DOORS = ("login", "logout", "set_language", "admin:login", "admin:logout")


@require_safe
@never_cache
@login_required(login_url="login")
def console(request: HttpRequest) -> HttpResponse:
    context = {
        "api_url": API_URL,
        # By this the tabs of one session find each other and share a stream; those of another person do not.
        "session": console_sessions.session_id(request.session.session_key),
        "user_name": request.user.get_username(),
        "version": settings.VERSION,
    }
    return render(request, "operator_api/console.html", context)


def leads_to_a_door(request: HttpRequest, address: str) -> bool:
    """Whether a browser that is sent to this address, from a page of ours, would ask for one of DOORS."""
    try:
        path = urlsplit(urljoin(request.build_absolute_uri(request.path), address.strip())).path
    except ValueError:
        return True
    # As a browser and the server read it, and a little more: nothing else of ours is so like a door.
    path = posixpath.normpath(unquote(path).replace("\\", "/")).rstrip("/").casefold()
    return path in {reverse(name).rstrip("/") for name in DOORS}


class ConsoleLogin(LoginView):
    def get_redirect_url(self, *args: Any) -> str:
        """Empty: to the console."""
        address = super().get_redirect_url(*args)
        return "" if leads_to_a_door(self.request, address) else address


_sign_in_to_admin = admin.site.login


def admin_login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's page, which leads to the admin where it was told to lead to a door."""
    for given in ("GET", "POST"):
        fields = getattr(request, given)
        if REDIRECT_FIELD_NAME in fields and leads_to_a_door(request, fields[REDIRECT_FIELD_NAME]):
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
# By POST alone: a link or an image on another page must not sign anybody out.
logout = LogoutView.as_view(next_page="login", http_method_names=["post", "options"])
