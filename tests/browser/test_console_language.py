"""English and Spanish: the whole page, by what the browser asks for or what somebody chose."""

import gettext
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.accounts import Account
from tests.browser.console_page import ConsolePage
from tests.servers import ROOT
from tests.stacks import Stack

CATALOGUE = ROOT / "locale" / "es" / "LC_MESSAGES"
SAME_IN_BOTH = {"info", "error", "Chat", "chat", "UTC"}
TRANSLATED = re.compile(r"""{% translate (?:"([^"]*)"|'([^']*)') %}""")
SENTENCE = re.compile(r"\{% blocktranslate [^%]*%\}(.*?)\{% endblocktranslate %\}", re.DOTALL)
VARIABLE = re.compile(r"\{\{ (\w+) \}\}")
# Of the admin's pages, which are Django's for the most part, only that one has words of ours.
TRANSLATED_FOLDERS = ("templates/operator_api", "templates/admin/receivers/webhook")
MARKED = re.compile(r"""\b_\(\s*(?:"([^"]*)"|'([^']*)')\s*\)""")
MARKED_IN = ("gateway/admin/login.py", "operator_api/chat/responder.py")


def catalogue() -> gettext.GNUTranslations:
    with (CATALOGUE / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def source_texts() -> set[str]:
    templates = [path.read_text() for folder in TRANSLATED_FOLDERS for path in (ROOT / folder).glob("*.html")]
    found = [match for template in templates for match in TRANSLATED.findall(template)]
    sentences = [VARIABLE.sub(r"%(\1)s", text) for template in templates for text in SENTENCE.findall(template)]
    forms = "".join((ROOT / path).read_text() for path in MARKED_IN)
    return {double or single for double, single in [*found, *MARKED.findall(forms)]} | set(sentences)


def test_every_text_of_the_pages_has_its_spanish_words() -> None:
    spanish = catalogue()
    assert [text for text in source_texts() if spanish.gettext(text) == text and text not in SAME_IN_BOTH] == []


def test_the_words_keep_their_places_for_figures() -> None:
    spanish = catalogue()
    places = re.compile(r"\{\w+\}|%\(\w+\)s")
    differing = [t for t in source_texts() if sorted(places.findall(t)) != sorted(places.findall(spanish.gettext(t)))]
    assert differing == []


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', (CATALOGUE / "django.po").read_text(), re.MULTILINE)
    spanish = catalogue()
    assert {text for text, _ in pairs} == source_texts()
    assert [text for text, words in pairs if spanish.gettext(text) != words] == []


def test_a_browser_that_asks_for_spanish_gets_it(
    new_page: Callable[..., Page], stack: Stack, viewer: Account, no_window: None
) -> None:
    page = new_page(locale="es-ES")
    console = ConsolePage(page, stack.a.url)
    page.goto(f"{stack.a.url}/operator/")
    page.get_by_label("Usuario").fill(viewer.name)
    page.get_by_label("Contraseña").fill(viewer.password)
    page.get_by_role("button", name="Entrar").click()
    console.expect_state("En vivo")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator(".window")).to_contain_text("cerrada (solo madre)")
    expect(page.get_by_role("combobox", name="Consulta")).to_be_visible()
    assert console.problems == []


def test_the_language_can_be_chosen_and_the_filter_stays(page: Page, stack: Stack, viewer: Account) -> None:
    console = ConsolePage(page, stack.a.url)
    console.open_by_form(viewer, q="something severity:error")
    console.page.get_by_role("button", name="Español").click()
    console.expect_state("En vivo")
    expect(console.page).to_have_url(re.compile(r"q=something\+severity%3Aerror"))
    expect(console.page.locator("#query")).to_have_value("something severity:error")
    console.page.get_by_role("button", name="English").click()
    console.expect_state("Live")
    cookies = console.page.context.cookies()
    assert all(cookie.get("httpOnly") for cookie in cookies)
