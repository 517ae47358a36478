"""Every command's screen on terminals of several widths, with titles and ids of all scripts and
hostile ones: the rules that hold for all of them."""

from __future__ import annotations

import io
import os
import re
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from ldimport.cli import main
from ldimport.cli.command import COMMANDS, GROUPS
from ldimport.cli.output.text import cells

WIDTHS = (60, 80, 100, 140)
TITLES = ("Rheinfall", "写真の展覧会、東京、とても長い題名です" * 3, "😀👨‍👩‍👧‍👦 Emoji 🇨🇭",
          "مرحبا بالعالم صورة قديمة", "<b>[red]markup[/red]</b>", "é combining ạ", "x" * 200,
"a\x1b[31mred\x1b[0m\x07 photo\u202egpj.exe \u200b x\b\b")  # fmt: skip
IDS = ("2003-0{n}", "写真-{n}", "صورة-{n}", "id 😀 {n}", "a'b\"$(c) {n}")
ROWS = 40

LINES = """
init start --system-name new --force; validate archive.csv; validate archive.csv --warnings
validate broken.csv; validate few.csv; plan archive.csv; plan more.csv --show 2; plan broken.csv
explain 2003-00; explain 写真-1; explain 2003-035; explain origin-503; explain duplicate-id
explain 6; submit archive.csv; submit broken.csv; submit archive.csv --dry-run; status; status -n 1
status JOB; watch; results; results -n 0; results --failed; results --success; results --waived
retry; retry --all; waive 2003-035 --reason 写真; waive 2003-035 --undo; verify
verify --sample 3 --seed 1; export map -o m.csv; export redirects -o r.csv; export undo -o u.csv
webhooks list; webhooks resend --failed; token list; token create ci; engine check; state info
state check; state backup b.sqlite --force; state export e.jsonl --force; state merge b.sqlite
state rebuild archive.csv --state third.sqlite; config show; config check; config trust --list
schema; schema state info; completion bash; status none; results --cause none; plan none.csv
nothing; submit; serve --host 1.2.3.4 --port 1; listen --host 0.0.0.0; worker --target http://x/
ui --port 99999; report; report -o report.html; report -o report.foo; report --system-name none
state import e.jsonl; state import archive.csv --state fourth.sqlite; engine reset
token revoke none; config schema
"""
COPIED = ("→ ldimport ", "  ldimport ", "  {", "  http", "  /", "_ldimport", "  now at")
"""How lines begin that are there to be copied: they are never cut or wrapped by us."""
LOG = re.compile(r"\d{4}-\d\d-\d\dT")
"""Lines of a log, as where nothing moves."""
AS_IT_IS = ("completion", "schema state", "config schema")
"""Commands whose output is for programs."""


class Terminal(io.StringIO):
    """Standard output as a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with an archive that was sent; every eighth image failed, and one job is of many."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("CI", "true")  # nothing moves
        patch.chdir(home)
        (home / "start").mkdir()
        write(home / "archive.csv", ROWS)
        write(home / "more.csv", ROWS + 3)
        bad = [f"b-{n},{'' if n % 3 else f'{n % 8}.png'},{'写真' * 20 if n % 2 else ''}"
               for n in range(40)]  # fmt: skip
        (home / "broken.csv").write_text("\n".join(["id,url,fileName", *bad]) + "\n")
        (home / "few.csv").write_text(f"id,url,fileName\nb,,{TITLES[1]}\nb,1.png,{TITLES[3]}\n")
        for n in range(8):
            data = io.BytesIO()
            Image.new("RGB", (10 + n, 20), (n, n, n)).save(data, "PNG")
            (home / f"{n}.png").write_bytes(b"<html>" if n == 3 else data.getvalue())
        assert main(["submit", "archive.csv", "-qq", "--system-name", "写真 archiv"]) == 1
        assert main(["token", "create", "写真 " * 9, "-q"]) == 0
        patch.setenv("LDIMPORT_SYSTEM_NAME", "写真 archiv")
        yield home


def write(path: Path, rows: int) -> None:
    lines = ["id;url;fileName"]
    for n in range(rows):
        name = IDS[n % len(IDS)].format(n=n).replace('"', '""')
        title = TITLES[n % len(TITLES)].replace('"', '""')
        lines.append(f'"{name}";{n % 8}.png;"{title}"')
    path.write_text("\n".join(lines) + "\n", newline="")


@pytest.fixture
def screen(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[str]]:
    """The lines of a command's screen on a terminal of this width."""
    (database,) = home.rglob("state/ldimport/*.sqlite")
    with closing(sqlite3.connect(database)) as connection:
        (job,) = connection.execute("SELECT job_id FROM batch").fetchone()

    def show(line: str, width: int) -> list[str]:
        out = Terminal()
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", out)
        code = main(shlex.split(line.replace("JOB", job)))
        assert code in (0, 1, 2, 3, 4), (line, out.getvalue())
        lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
        return [each for each in lines if not LOG.match(each)]

    return show


def commands() -> list[str]:
    return [each.strip() for each in LINES.replace("\n", ";").split(";") if each.strip()]


def test_every_command_is_among_them() -> None:
    """But for those that go on until they are ended, whose banners are looked at elsewhere."""
    called = {" ".join(each.split()[: 2 if each.split()[0] in GROUPS else 1]).split()[0]
              for each in commands()}  # fmt: skip
    assert {*COMMANDS} <= called


@pytest.mark.parametrize("line", commands())
def test_the_rules_hold_at_every_width(screen: Callable[[str, int], list[str]], line: str) -> None:
    for width in WIDTHS:
        lines = screen(line, width)
        assert lines or line == "config trust --list", line
        for each in () if line.startswith(AS_IT_IS) else lines:
            assert not re.search(r"\d…", each), (line, width, each)
            assert each == each.rstrip(), (line, width, each)
            if not each.startswith(COPIED):
                assert cells(each) <= width, (line, width, each)
            elif each.startswith("→ "):
                whole = each.removeprefix("→ ").partition("   ")[0]
                assert "…" not in whole and shlex.split(whole)[0] == "ldimport", each
        assert "Traceback" not in "\n".join(lines)


def test_counts_add_up_at_every_width(screen: Callable[[str, int], list[str]]) -> None:
    for width in WIDTHS:
        for line in ("status", "plan archive.csv", "submit archive.csv", "verify", "status JOB"):
            found = [re.match(r" +(\S) [a-z ]+?  +([\d,]+)(?: |$)", each)
                     for each in screen(line, width)]  # fmt: skip
            text = "\n".join(screen(line, width))
            whole = re.search(r"^ +(?:rows|images|looked up)  +([\d,]+)$", text, re.MULTILINE)
            assert whole is not None, (line, width, text)
            assert sum(int(each[2]) for each in found if each) == int(whole[1]), text


def test_colours_can_be_read_on_white_and_on_black(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The eight standard ones and grey, which every theme adapts; no white, nothing bright, no
    background."""
    for line in (
        "status",
        "results",
        "explain 2003-035",
        "plan more.csv --show 1",
        "validate few.csv",
    ):
        out = Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", out)
        main(shlex.split(line))
        codes = {code for each in re.findall(r"\x1b\[([0-9;]*)m", out.getvalue())
                 for code in each.split(";")}  # fmt: skip
        assert codes and codes <= {"0", "1", "31", "32", "33", "34", "90"}, (line, codes)


def test_no_column_is_empty(screen: Callable[[str, int], list[str]]) -> None:
    for width in WIDTHS:
        (head, *_) = screen("results -n 3", width)  # failures come first
        assert "SIZE" not in head and "TYPE" not in head and "REASON" in head
        (head, *_) = screen("results --success", width)
        assert "SIZE" in head
