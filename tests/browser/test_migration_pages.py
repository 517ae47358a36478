"""The pages of ``ldimport ui``: archives of the state file, before jobs and library."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tabs import LOOKS, OVER, OpenTab, complaints

sys.path.append(str(Path(__file__).parents[1] / "cli"))
from test_cli_ui import SAMPLES, ran, shown

CONFIG = ("--config", str(SAMPLES / "ldimport.yaml"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the samples were imported, good ones and broken ones."""
    home = tmp_path_factory.mktemp("home")
    assert ran(home, "submit", str(SAMPLES / "manifest.csv")).returncode == 0
    assert ran(home, "submit", str(SAMPLES / "broken.csv"), "--valid-only").returncode == 1
    return home


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_archives_are_accessible_fit_and_are_quiet(
    home: Path, tab: OpenTab, scheme: str, width: int
) -> None:
    with shown(home, *CONFIG) as http:
        base = str(http.base_url).rstrip("/")
        looked = tab(base, width, color_scheme=scheme)
        page = looked.go("/migration")
        assert complaints(page) == []
        page.get_by_role("link", name="sample-archive").click()
        expect(page.locator(".causes li")).to_have_count(2)
        assert complaints(page) == []
        assert page.evaluate(OVER) <= 0
        page.locator("tbody a").first.click()
        expect(page.locator("h1")).to_contain_text("Job")
        page.go_back()
        expect(page.locator(".causes li")).to_have_count(2)
        page.goto("about:blank")


def test_a_run_is_seen_without_a_reload(home: Path, tab: OpenTab, tmp_path: Path) -> None:
    submit = ("submit", str(SAMPLES / "manifest.csv"))
    assert ran(tmp_path, *submit, "--limit", "3").returncode == 0
    with shown(tmp_path, *CONFIG) as http:
        page = tab(str(http.base_url).rstrip("/")).go("/migration")
        figures = page.locator(".figures").first
        expect(figures).to_contain_text("Rows3")
        assert ran(tmp_path, *submit).returncode == 0
        expect(figures).to_contain_text("Rows24", timeout=30_000)
        page.goto("about:blank")
