"""Which language pages speak to a Spanish browser: the console Spanish, the admin English from end to end."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.accounts import add_account, change_account
from tests.client import LOOPBACK
from tests.stack.test_admin import Admin
from tests.stacks import Stack

pytestmark = pytest.mark.once

SPANISH = {"Accept-Language": "es-ES,es;q=0.9", "Cookie": "vx11_language=es"}
# Words of Django's own pages.
SPANISH_WORDS = re.compile(r"Contraseña|Añadir|Guardar|Modificar|Cerrar sesión|Buscar|Inicio|Sitio|Acción|Iniciar")
LANGUAGE = re.compile(r'<html lang="([a-z-]+)"')
LINK = re.compile(r'href="(/admin/[^"#?]*)"')


@pytest.fixture
def visitor(stack: Stack) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=stack.a.url, headers=SPANISH, **LOOPBACK, timeout=20) as client:
        yield client


@pytest.fixture
def admin(stack: Stack, visitor: httpx2.Client) -> Admin:
    account = add_account(stack, group="administrator")
    change_account(account, "user.is_staff = user.is_superuser = True; user.save()")
    # From here on the jar sends both cookies.
    del visitor.headers["Cookie"]
    visitor.cookies.set("vx11_language", "es", domain="127.0.0.1")
    admin = Admin(visitor)
    assert admin.sign_in(account).status_code == 302
    return admin


def assert_english(answer: httpx2.Response) -> None:
    path = answer.request.url.path
    assert answer.status_code == 200, path
    assert SPANISH_WORDS.findall(answer.text) == [], path
    assert answer.headers.get("Content-Language", "en") == "en", path
    assert set(LANGUAGE.findall(answer.text)) <= {"en", "en-us"}, path


def test_the_console_is_spanish_to_a_spanish_browser(visitor: httpx2.Client) -> None:
    answer = visitor.get("/operator/login")
    assert LANGUAGE.findall(answer.text) == ["es"]
    assert SPANISH_WORDS.search(answer.text)
    assert answer.headers["Content-Language"] == "es"


def test_every_page_of_the_admin_is_english_as_its_own_texts_are(admin: Admin) -> None:
    answer = admin.get("/admin/")
    assert LANGUAGE.findall(answer.text)
    pages = {path for path in LINK.findall(answer.text) if "logout" not in path}
    assert {"/admin/events/event/", "/admin/auth/user/", "/admin/auth/user/add/"} <= pages
    for path in sorted(pages):
        assert_english(admin.get(path))


def test_its_sign_in_its_complaints_and_its_scripts_are_english_too(visitor: httpx2.Client, admin: Admin) -> None:
    assert_english(admin.submit("/admin/auth/user/add/", username="", password1="1", password2="2"))
    assert_english(admin.get("/admin/jsi18n/"))
    visitor.cookies.clear()
    assert_english(visitor.get("/admin/login/?next=/admin/"))


def test_after_the_admin_the_console_is_spanish_again(admin: Admin) -> None:
    admin.get("/admin/")
    assert LANGUAGE.findall(admin.get("/operator/").text) == ["es"]
