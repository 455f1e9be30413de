"""Pages for people whom a trusted proxy names in a header: their session begins, goes on, or ends with the header."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import login, logout
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from gateway.identity import proxy_users
from gateway.identity.proxy_users import ProxyUser


def person_in(request: HttpRequest) -> ProxyUser | None:
    raw = getattr(request, "scope", {}).get("headers", ())
    return proxy_users.named(request.META.get("REMOTE_ADDR", ""), raw)


class ProxySignInMiddleware:
    """Behind AuthenticationMiddleware, for pages; requests to the API by cookie are checked in gateway.http.cookies."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if settings.PROXY_SIGN_IN is None:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = person_in(request)
        if proxy_users.is_of_proxy(request.session):
            is_same = proxy_users.is_current(request.session, request.user, person)
            if not is_same or not proxy_users.prolong(request.session):
                # Its tickets and streams end with it.
                logout(request)
        # Who has signed in with a password stays who they are. What is sent to a page is sent by one that was loaded.
        if person is not None and request.method == "GET" and not request.user.is_authenticated:
            user = proxy_users.account_of(person)
            if user is not None:
                login(request, user, backend=proxy_users.BACKEND)
                proxy_users.note(request.session, person)
        return self.get_response(request)
