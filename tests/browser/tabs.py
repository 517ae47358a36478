"""A tab of the browser, and what axe-core says of what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1200, 390)]
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}


def complaints(page: Page) -> list[str]:
    """What axe-core has to say of a page."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@dataclass
class Tab:
    """A page, and all that it said on its console or asked of others than its own server."""

    page: Page
    base: str
    said: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda each: self.said.append(each.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda asked: self._look(asked.url))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))

    def _look(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "about:")):
            self.strangers.append(url)

    def go(self, path: str) -> Page:
        answer = self.page.goto(self.base + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        return self.page

    def is_clean(self) -> None:
        assert (self.said, self.strangers) == ([], [])


OpenTab = Callable[..., Tab]
