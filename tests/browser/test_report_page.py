"""The report in a real browser: it asks for nothing, shows every picture, and prints."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hostile_strings import ALL
from PIL import Image
from report_archive import Told, record
from tabs import LOOKS, complaints

from ldimport.cli import main
from ldimport.model import Status

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@contextmanager
def place(home: Path) -> Iterator[Path]:
    """Inside, this is the folder, without any settings of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home / "home"))
        patch.setenv("LDIMPORT_STATE", str(home / "state.sqlite"))
        patch.chdir(home)
        yield home


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A report of the local engine with 20 pictures and one failure."""
    with place(tmp_path_factory.mktemp("pictures")) as home:
        yield with_pictures(home)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A report full of hostile strings, long ids and long words."""
    with place(tmp_path_factory.mktemp("texts")) as home:
        yield with_texts(home)


def with_pictures(home: Path) -> Path:
    for n in range(20):
        Image.new("RGB", (160 + 9 * n, 200), (n * 12, 90, 120)).save(f"{n}.jpg")
    Path("bad.jpg").write_bytes(b"<html>no image</html>")
    lines = [f"id{n},{n}.jpg,Picture {n}" for n in range(20)]
    Path("a.csv").write_text("\n".join(["id,url,fileName", *lines, "bad,bad.jpg,A page"]) + "\n")
    assert main(["submit", "a.csv", "--system-name", "archiv"]) == 1
    assert main(["report", "-o", "report.html"]) == 0
    return home / "report.html"


def with_texts(home: Path) -> Path:
    chosen = [text for text in ALL if text.strip() and "\0" not in text
              and not any(0xD800 <= ord(sign) < 0xE000 for sign in text)]  # fmt: skip
    images = [Told(f"{n} {text}", f"https://h{n % 30}.example/{'x' * (n % 120)}.jpg",
                   Status.FAILED, "", "other", f"{text} {'w' * (n % 60)}")
              for n, text in enumerate(chosen)]  # fmt: skip
    record(home / "state.sqlite", [*images, *(Told(str(n)) for n in range(300))])
    assert main(["report", "-o", "report.html"]) == 0
    return home / "report.html"


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize("which", ["pictures", "texts"])
def test_a_report_is_whole_without_a_network(
    browser: Browser, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    path: Path = request.getfixturevalue(which)
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        offline=True,
    )
    page = context.new_page()
    asked, said = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()] and said == []
    sizes = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(sizes) == (20 if which == "pictures" else 0) and all(sizes)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) is (scheme == "dark")
    context.close()


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.parametrize("which", ["pictures", "texts"])
def test_a_report_can_be_read_by_all(
    browser: Browser, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    path: Path = request.getfixturevalue(which)
    context = browser.new_context(
        bypass_csp=True,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(path.as_uri())
    assert complaints(page) == []
    context.close()


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_a_report_prints_on_a4_in_light_colours(browser: Browser, pictures: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(pictures.as_uri())
    pdf = page.pdf(prefer_css_page_size=True)
    boxes = {tuple(map(round, map(float, box.split())))
             for box in re.findall(rb"/MediaBox\s*\[([\d. ]+)\]", pdf)}  # fmt: skip
    assert 1 <= pages_of(pdf) <= 4
    assert all(abs(box[2] - 595) <= 1 and abs(box[3] - 842) <= 1 for box in boxes) and boxes
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(22, 25, 31)"
    page.close()


def test_five_hundred_failures_print_on_some_pages(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with place(tmp_path_factory.mktemp("failures")) as home:
        record(home / "state.sqlite", [
            Told(f"2003-{n:05}", f"https://img.example/2003/{n}.jpg", Status.FAILED, "",
                 "origin-503", "the origin answered 503") for n in range(600)
        ])  # fmt: skip
        assert main(["report", "-o", "report.html"]) == 0
    page = browser.new_page()
    page.goto((home / "report.html").as_uri())
    assert page.locator("table.list tbody tr").count() == 500
    assert 5 <= pages_of(page.pdf(prefer_css_page_size=True)) <= 15
    page.close()
