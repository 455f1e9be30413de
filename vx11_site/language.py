"""Which language a page speaks: the console the browser's, or the chosen one; the admin English alone."""

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

# Names of the log, of rights and of actions stand on these pages as they stand in the database, the API and the
# documents. Half of a page in Spanish, as Django's own words would be, helps nobody who has to compare them.
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
