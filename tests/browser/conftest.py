"""Pages in headless Chromium, over real servers on 127.0.0.1. Without a Chromium these tests are
skipped, unless ``LDIMPORT_TEST_BROWSER`` says that there must be one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("server", "bench")]

from looks import build
from playwright.sync_api import Browser, expect, sync_playwright
from served import Api, Origin, an_origin, served, until
from tabs import OpenTab, Tab

expect.set_options(timeout=20_000)  # a machine may be busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(300))  # axe-core looks at each cell of a table


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
