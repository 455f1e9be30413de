"""The console: the page that operators look at, and the way in and out of it.

The page carries no events. Its script reads them through the API with the session cookie, so that one set of rules
decides what a person may see. Somebody without the right to read events gets the page, and on it the refusal.
"""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway import sessions
from gateway.login import ThrottledForm

API_URL = "/operator/api"


@require_safe
@never_cache
@login_required(login_url="login")
def console(request: HttpRequest) -> HttpResponse:
    context = {
        "api_url": API_URL,
        # By this the tabs of one session find each other and share a stream; those of another person do not.
        "session": sessions.session_id(request.session.session_key),
        "user_name": request.user.get_username(),
        "version": settings.VERSION,
    }
    return render(request, "operator_api/console.html", context)


login = LoginView.as_view(
    template_name="operator_api/login.html",
    authentication_form=ThrottledForm,
    next_page="console",
    redirect_authenticated_user=True,
    extra_context={"version": settings.VERSION},
)
# By POST alone: a link or an image on another page must not sign anybody out.
logout = LogoutView.as_view(next_page="login", http_method_names=["post", "options"])
