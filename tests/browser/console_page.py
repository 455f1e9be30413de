"""The console as a person uses it: accounts, signing in, reading rows; and what went wrong in the page meanwhile."""

from urllib.parse import urlencode

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.accounts import Account

# Reports of the browser about the policy reach the page as events, the first ones before our scripts run.
WATCH_POLICY = "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.blockedURI));"
# Shortest waits, so that a test of reconnects takes seconds.
NO_LUCK = "Math.random = () => 0;"

# The page holds only the rows in sight: from the upper end to the lower, a screen at a time.
READ_ALL_ROWS = """
    async () => {
        const feed = document.querySelector("#feed");
        const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const found = new Map();
        feed.scrollTop = 0;
        for (let top = 0, end = false; !end; top += feed.clientHeight) {
            feed.scrollTop = top;
            await drawn();
            for (const row of feed.querySelectorAll(".row:not(.note)")) {
                found.set(Number(row.ariaPosInSet), row.querySelector(".text").textContent);
            }
            end = feed.scrollTop + feed.clientHeight >= feed.scrollHeight - 1;
        }
        return [...found.keys()].sort((one, other) => one - other).map((position) => found.get(position));
    }
"""


def enter(profile: BrowserContext, url: str, account: Account) -> None:
    """Gives the browser the cookie of a new session. Filling in the form takes five times as long."""
    session = account.new_session()
    profile.add_cookies([{"name": "vx11_session", "value": session, "url": url, "httpOnly": True, "sameSite": "Lax"}])


class ConsolePage:
    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        page.add_init_script(WATCH_POLICY + NO_LUCK)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _address(self, query: dict[str, str]) -> str:
        return f"{self.url}/operator/" + (f"?{urlencode(query)}" if query else "")

    def sign_in(self, account: Account, **query: str) -> None:
        """`query` is what stands in the page's address: filters, for the most part."""
        self.page.goto(self._address(query))
        self.fill_in(account)

    def fill_in(self, account: Account) -> None:
        self.page.get_by_label("User name").fill(account.name)
        self.page.get_by_label("Password").fill(account.password)
        self.page.get_by_role("button", name="Sign in").click()

    def open(self, account: Account, **query: str) -> None:
        """Opens the console with a session, without the form; waits until the feed is live and has read the log."""
        enter(self.page.context, self.url, account)
        self.show(**query)

    def open_in(self, account: Account, live: str, **query: str) -> None:
        """As `open`, in another language: `live` is the word for that state."""
        enter(self.page.context, self.url, account)
        self.page.goto(self._address(query))
        self.expect_state(live)
        self.expect_read()

    def open_by_form(self, account: Account, **query: str) -> None:
        """Signs in, which leaves in the browser what the server puts there; then as `open`."""
        self.sign_in(account, **query)
        self.expect_state("Live")
        self.expect_read()

    def show(self, **query: str) -> None:
        """Loads the page again with this in its address."""
        self.page.goto(self._address(query))
        self.expect_state("Live")
        self.expect_read()

    def expect_read(self) -> None:
        expect(self.feed).to_have_attribute("aria-busy", "false")

    def expect_state(self, word: str, *, timeout_seconds: float = 15) -> None:
        expect(self.page.locator("[data-slot=state]")).to_have_text(word, timeout=timeout_seconds * 1000)

    @property
    def notice(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def feed(self) -> Locator:
        return self.page.locator("#feed")

    @property
    def rows(self) -> Locator:
        """The events in sight, and some above and below them."""
        return self.page.locator(".row:not(.note)")

    def row(self, summary: str) -> Locator:
        """The row that shows this summary and nothing else in its text column."""
        text = self.page.locator(".text").get_by_text(summary, exact=True)
        return self.rows.filter(has=text)

    def summaries(self) -> list[str]:
        """Texts of all rows that the page holds, oldest first. It scrolls to the end."""
        return list(self.page.evaluate(READ_ALL_ROWS))

    def press_in_feed(self, *keys: str) -> None:
        self.feed.focus()
        for key in keys:
            self.page.keyboard.press(key)
