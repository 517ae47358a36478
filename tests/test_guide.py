"""What README and docs show of the terminal is what the commands say, and tables are those of the
code: the scripts in docs/ that write them find nothing to write."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from ldimport.schema.jsonschema import with_definitions
from ldimport.schema.properties import PLUGINS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
needs_a_terminal = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("bash"),
    reason="folders of settings are named as on Linux, and the session is one of bash",
)


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of docs/, as a person does."""
    command = [sys.executable, DOCS / name, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@needs_a_terminal
@pytest.mark.parametrize(
    "page",
    ["README.md", "docs/reference.md", pytest.param("docs/guide.md", marks=pytest.mark.slow)],
)
def test_a_page_shows_what_its_commands_say(page: str) -> None:
    """``python docs/capture.py`` writes what they say now."""
    done = script("capture.py", "--check", page)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of what the scripts look at, to be changed."""
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def run_in(place: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, place / "docs" / name, *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


PAGE = """\
```console
$ printf 'ldimport: '; ldimport config show --json | grep -o '"systemName"' | head -n 1
{said}
$ cat <<END
> one
> two
> three
> END
one
…
three
$ ldimport explain nothing-of-this-kind >/dev/null 2>&1
$ echo $?
{code}
```
"""


@needs_a_terminal
def test_a_page_that_says_something_else_is_found_and_written_anew(copied: Path) -> None:
    page = copied / "docs" / "page.md"
    page.write_text(PAGE.format(said="something else", code=0))
    done = run_in(copied, "capture.py", "--check", "docs/page.md")
    assert done.returncode == 1
    assert '+ldimport: "systemName"' in done.stdout and "+2\n" in done.stdout
    assert page.read_text() == PAGE.format(said="something else", code=0)
    assert run_in(copied, "capture.py", "docs/page.md").returncode == 0
    assert page.read_text() == PAGE.format(said='ldimport: "systemName"', code=2)


@needs_a_terminal
def test_ids_times_and_speeds_do_not_make_a_page_stale(copied: Path) -> None:
    page = copied / "docs" / "page.md"
    shown = "A00001wigexY  job v4aozff5s0l0gt  tomorrow 11:18 (in 23 h 59 min)  2.3 s  1,204/s\n"
    now = "A0000OAsIQ5Y  job of473ijm9xy6xb  tomorrow 09:02 (in 1 h)  412 ms  99/s"
    page.write_text(f"```console\n$ echo '{now}'\n{shown}```\n")
    assert run_in(copied, "capture.py", "--check", "docs/page.md").returncode == 0
    page.write_text(f"```console\n$ echo '{now} 12'\n{shown}```\n")
    assert run_in(copied, "capture.py", "--check", "docs/page.md").returncode == 1


def test_tables_of_codes_and_plugins_are_those_of_the_code() -> None:
    """``python docs/generate.py`` writes them."""
    done = script("generate.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_table_that_was_changed_by_hand_is_found(copied: Path) -> None:
    page = copied / "docs" / "reference.md"
    text = page.read_text()
    page.write_text(text.replace("| `dns` |", "| `DNS` |"))
    done = run_in(copied, "generate.py", "--check")
    assert done.returncode == 1 and "+| `dns` |" in done.stdout
    assert run_in(copied, "generate.py").returncode == 0
    assert page.read_text() == text


def test_what_the_reference_shows_of_plugins_is_what_they_store() -> None:
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(li-[\w-]+)`.*? \| [^|]* \| [^|]* \| `(.*?)` \|", text, re.MULTILINE)
    assert [handle for handle, _ in rows] == [name for name, each in PLUGINS.items() if each.media]
    for handle, example in rows:
        schema = with_definitions({"$ref": f"#/$defs/{handle}"})
        jsonschema_rs.validate(schema, json.loads(example))


# -- links --------------------------------------------------------------------------------------

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """How GitHub calls the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(\s*([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(other), f"{page.name}: {target}"


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Documentation\n")[1].split("\n## ")[0]
    assert set(re.findall(r"\(docs/([\w-]+\.md)\)", section)) == {
        page.name for page in DOCS.glob("*.md")
    }


# -- pictures -----------------------------------------------------------------------------------


def test_every_picture_is_taken_by_the_script_and_shown() -> None:
    """``python docs/screenshots.py`` takes them."""
    named = re.findall(r'Shot\("([\w-]+)"', (DOCS / "screenshots.py").read_text(encoding="utf-8"))
    there = {path.stem for path in (DOCS / "images").glob("*.png")}
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"images/([\w-]+)\.png", page.read_text("utf-8"))
    }
    assert set(named) == there == shown


def test_every_command_stands_in_the_readme() -> None:
    from ldimport.cli.app import root

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Commands\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    named = {word for cell in cells for word in re.findall(r"`(?:ldimport )?([a-z]+)", cell)}
    assert set(root().commands) == named
