"""The conversation while the assistant behind it is slow or away: what is said meanwhile, and late answers."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.accounts import add_account
from tests.browser.console_page import ConsolePage
from tests.browser.test_console_chat import open_window, said, say
from tests.conftest import OwnStack
from tests.operator_api.chat.fake_assistant import Assistant

WAIT_MS = 300
# For an answer that comes at once, from a machine that may be busy. A late one is said to be late, then to have failed.
PATIENT_MS = 4000
HINT = "The modules did not answer in time; this answer comes from this server."


@pytest.fixture
def assistant() -> Iterator[Assistant]:
    with Assistant() as assistant:
        yield assistant


@pytest.fixture
def wait_ms() -> int:
    """How long the server waits for the assistant."""
    return WAIT_MS


@pytest.fixture
def talking(page: Page, own_stack: OwnStack, assistant: Assistant, wait_ms: int) -> ConsolePage:
    """With a window open, and the conversation too."""
    stack = own_stack(VX11_CHAT_UPSTREAM_URL=assistant.url, VX11_CHAT_UPSTREAM_WAIT_MS=str(wait_ms))
    open_window(stack)
    console = ConsolePage(page, stack.a.url)
    console.open(add_account(stack, group="operator"))
    console.page.get_by_role("button", name="Chat", exact=True).click()
    return console


def hint(console: ConsolePage) -> Locator:
    return console.page.locator("#chat [data-slot=chat-refusal]")


def roles(console: ConsolePage) -> list[str | None]:
    return [item.get_attribute("data-role") for item in console.page.locator("#chat li").all()]


def test_a_late_answer_is_announced_and_appears_by_itself_behind_what_was_said_in_its_place(
    talking: ConsolePage, assistant: Assistant
) -> None:
    assistant.hold()
    say(talking, "are you there?")
    expect(hint(talking)).to_contain_text(HINT)
    expect(said(talking, "system")).to_have_count(1)
    expect(said(talking, "assistant")).to_have_count(0)
    assistant.release()
    expect(said(talking, "assistant").locator("p")).to_have_text("you said are you there?")
    # What was announced is there.
    expect(hint(talking)).to_be_hidden()
    assert roles(talking) == ["user", "system", "assistant"]
    assert talking.problems == []


def test_a_late_answer_appears_in_every_tab_and_after_a_reload(
    talking: ConsolePage, assistant: Assistant, new_tab: Callable[[], ConsolePage]
) -> None:
    other = new_tab()
    assistant.hold()
    say(talking, "are you there?")
    expect(said(other, "system")).to_have_count(1)
    talking.page.reload()
    talking.expect_state("Live")
    assistant.release()
    expect(said(other, "assistant").locator("p")).to_have_text("you said are you there?")
    talking.page.get_by_role("button", name="Chat", exact=True).click()
    expect(said(talking, "assistant").locator("p")).to_have_text("you said are you there?")


@pytest.fixture
def new_tab(talking: ConsolePage) -> Callable[[], ConsolePage]:
    """Another tab of the same browser with the conversation open."""

    def make() -> ConsolePage:
        other = ConsolePage(talking.page.context.new_page(), talking.url)
        other.show()
        other.page.get_by_role("button", name="Chat", exact=True).click()
        return other

    return make


@pytest.mark.parametrize("wait_ms", [PATIENT_MS])
def test_an_assistant_that_fails_is_said_to_have_and_the_next_answer_takes_the_hint_away(
    talking: ConsolePage, assistant: Assistant
) -> None:
    assistant.status = 500
    say(talking, "first")
    expect(hint(talking)).to_contain_text(HINT)
    expect(said(talking, "system")).to_have_count(1)
    assistant.status = 200
    say(talking, "second")
    expect(said(talking, "assistant").locator("p")).to_have_text("you said second")
    expect(hint(talking)).to_be_hidden()
