"""Pages in headless Chromium, over real servers on 127.0.0.1. Without a Chromium these tests are
skipped, unless ``LDIMPORT_TEST_BROWSER`` says that there must be one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("server", "bench")]

from pages import build
from playwright.sync_api import Browser, Page, sync_playwright
from served import Api, Origin, an_origin, served, until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        assert "LDIMPORT_TEST_BROWSER" not in os.environ, "there is no chromium"
        pytest.skip("there is no chromium")
    environment = {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=path, args=["--no-sandbox"], env=environment)
        yield made
        made.close()


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


@pytest.fixture
def tab(browser: Browser) -> Iterator[OpenTab]:
    """Opens tabs; at the end of a test none of them has said anything."""
    tabs: list[Tab] = []
    with ExitStack() as ends:

        def opened(base: str, width: int = 1200, **options: Any) -> Tab:
            options = {"viewport": {"width": width, "height": 800}, **options}
            context = browser.new_context(**options)
            ends.callback(context.close)
            tabs.append(Tab(context.new_page(), base))
            return tabs[-1]

        yield opened
        for each in tabs:
            each.is_clean()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """1,000 entries of 10 jobs, some with failures, that can all be searched."""
    folder = tmp_path_factory.mktemp("archive") / "engine"
    build(folder, 1_000, 10)
    with served(folder, workers=0) as api:
        assert api.engine is not None
        until(lambda: not api.engine.store.library.unread())  # type: ignore[union-attr]
        yield api


@pytest.fixture
def origin() -> Iterator[Origin]:
    with an_origin() as found:
        yield found
