"""Takes the pictures of pages that README and docs show, into ``docs/images``::

    python docs/screenshots.py [NAME…]

The sample archive is imported in a folder of its own, ``ldimport ui`` shows it on this machine, and
a headless Chromium looks at it. Another picture is another line in ``SHOTS``. Needs the extra
``dev`` and a Chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pages import ROOT

from ldimport.errors import ExitCode

IMAGES = ROOT / "docs" / "images"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: its file's name without the ending, and the page. ``click``: what is clicked on
    it first, as Playwright selects; ``width`` and ``height`` of the window in pixels."""

    name: str
    path: str
    click: str = ""
    dark: bool = False
    width: int = 1200
    height: int = 720


SHOTS = (
    Shot("library", "/library", click="main a:has-text('Dusk over')"),
    Shot("archive", "/migration", click="main a[href^='/migration/archive']", height=560),
    Shot("job", "/jobs", click="main a[href^='/jobs/']", height=560),
)


@contextmanager
def shown(folder: Path) -> Iterator[str]:
    """The address of the pages of the sample archive, imported into ``folder``. Two of its
    pictures are not there, and one is cut off: that is what people look at such pages for."""
    shutil.copytree(ROOT / "samples", folder / "samples")
    for name in ("2005/city-day.jpeg", "logos/plan.svg"):
        (folder / "samples" / "images" / name).unlink()
    os.truncate(folder / "samples" / "images" / "2006" / "concert.jpg", 60_000)
    place = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
                                            "XDG_CONFIG_HOME")}  # fmt: skip
    kept = {name: text for name, text in os.environ.items() if not name.startswith("LDIMPORT_")}
    environment = {**kept, **place, "LDIMPORT_CONFIG": "samples/ldimport.yaml", "TZ": "UTC"}
    command = [sys.executable, "-m", "ldimport"]
    submit = [*command, "submit", "samples/manifest.csv", "-qq"]
    done = subprocess.run(
        submit, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode != ExitCode.FAILURES:
        done.check_returncode()
    ui = subprocess.Popen([*command, "ui", "--port", "0", "--json"], cwd=folder, env=environment,
                          stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        yield _url(ui.stdout)
    finally:
        ui.terminate()
        ui.communicate()


def _url(said: IO[str] | None) -> str:
    for line in said or ():
        if (told := json.loads(line)).get("type") == "listening":
            return str(told["url"])
    raise RuntimeError("ldimport ui ended before it listened")


def take(shots: Sequence[Shot], base: str, images: Path, home: Path) -> list[Path]:
    """Take these pictures of the pages below ``base``; ``home``: where Chromium keeps its things.

    Raises RuntimeError for a page that is not there, or no Chromium.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise RuntimeError("there is no chromium")
    images.mkdir(exist_ok=True)
    taken = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"],
                                       env={**os.environ, "HOME": str(home)})  # fmt: skip
        for shot in shots:
            page = browser.new_page(
                viewport={"width": shot.width, "height": shot.height},
                color_scheme="dark" if shot.dark else "light",
                timezone_id="UTC", locale="en-GB",
            )  # fmt: skip
            answer = page.goto(base + shot.path)
            if answer is None or answer.status != 200:
                raise RuntimeError(f"{shot.path}: {answer and answer.status}")
            if shot.click:
                page.locator(shot.click).first.click()
            page.wait_for_load_state("networkidle")
            page.evaluate("scrollTo(0, 0)")
            taken.append(images / f"{shot.name}.png")
            page.screenshot(path=taken[-1])
            page.close()
        browser.close()
    return taken


def main(names: Sequence[str]) -> None:
    """Take the pictures that are named, else all."""
    wanted = [shot for shot in SHOTS if not names or shot.name in names]
    with tempfile.TemporaryDirectory(prefix="screenshots-") as name, shown(Path(name)) as base:
        for path in take(wanted, base, IMAGES, Path(name)):
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
