"""The rules of WCAG 2.2, levels A and AA, that axe-core can judge by itself; what it is not sure of is not counted."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# The rules that look at colours: what else there is, is the same in the dark.
RULES_OF_COLOUR = ("color-contrast", "link-in-text-block")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
# Rows of a list that is drawn at the next picture, and the words that are written then; and colours that change slowly.
DRAWN = """async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const changing = document.getAnimations().filter((change) => change instanceof CSSTransition);
  await Promise.allSettled(changing.map((change) => change.finished));
}"""

JUDGE = "async ([within, options]) => (await axe.run(within ?? document, options)).violations"


def broken_rules(page: Page, *, within: str | None = None) -> list[str]:
    """One line for each element that breaks a rule: the rule, what it asks for, the element. Empty is what is wanted.

    The page is looked at in light colours and in dark ones. `within` is a selector: only what is inside counts, such as
    our part of a page that others have made.
    """
    broken = _broken(page, within, {"type": "tag", "values": list(RULES)})
    page.emulate_media(color_scheme="dark")
    broken += [f"dark: {line}" for line in _broken(page, within, {"type": "rule", "values": list(RULES_OF_COLOUR)})]
    page.emulate_media(color_scheme="light")
    return broken


def _broken(page: Page, within: str | None, rules: dict[str, object]) -> list[str]:
    page.evaluate(DRAWN)
    # Once for each page: it is half a megabyte of script.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    violations: list[dict[str, Any]] = page.evaluate(JUDGE, [within, {"resultTypes": ["violations"], "runOnly": rules}])
    return [
        f"{rule['id']} ({rule['help']}): {' '.join(map(str, node['target']))} {node['html'][:200]}"
        for rule in violations
        for node in rule["nodes"]
    ]
