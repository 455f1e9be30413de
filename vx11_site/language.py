"""The language of a page: the console uses the browser's or the chosen one, the admin English alone."""

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

# These pages show names of events, rights and actions as they are in the database, the API and the documents. Only
# Django's own texts would be translated, and a page that is half in Spanish is harder to compare with those.
ENGLISH_PREFIXES = ("/admin/", "/operator/api/docs/")
ENGLISH = "en"


class LanguageMiddleware(LocaleMiddleware):
    """Django's, which says in `lang`, `Content-Language` and `Vary` what it chose."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(ENGLISH_PREFIXES):
            translation.activate(ENGLISH)
            request.LANGUAGE_CODE = ENGLISH
        else:
            super().process_request(request)
