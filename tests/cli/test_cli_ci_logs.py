"""What a run prints and writes in a CI system: no outside text is obeyed there as a command, and no
file holds a raw character that a terminal would obey."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_strings import ALL, COMMANDS, CONTROLS, commands_in

from ldimport.cli import main
from ldimport.cli.output import github
from ldimport.cli.output.screen import Screen
from ldimport.cli.output.stream import Stream
from ldimport.manifest.write import write_rows

HIDDEN = re.compile("[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
TEXTS = [*COMMANDS, *(f"x\n{text}" for text in COMMANDS), *CONTROLS[:20], "a\u202eb"]

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Run a command in GitHub Actions, in a folder with a manifest of hostile texts."""
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": text, "url": f"{n}.png", "fileName": text, "mediaType": None, text: text}
        for n, text in enumerate(TEXTS)
    ]
    rows += [{"id": f"good-{n}", "url": f"{n}.png", "fileName": t} for n, t in enumerate(TEXTS)]
    (tmp_path / "hostile.json").write_text(json.dumps(rows))

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return code, out, err

    return run


def ours(text: str) -> str:
    """The output without our own annotations."""
    lines = text.split("\n")
    return "\n".join(line for line in lines if not line.startswith(("::error ", "::warning ")))


def test_no_stream_of_any_command_holds_a_command_from_outside(call: Call) -> None:
    _, out, err = call("validate", "hostile.json")
    annotations = [line for line in out.split("\n") if line.startswith("::")]
    assert annotations and all(re.match("::(error|warning) ", line) for line in annotations)
    assert commands_in(ours(out)) == commands_in(err) == []
    for words in (
        ["validate", "hostile.json", "--json"],
        ["validate", "hostile.json", "--problems", "/dev/stdout", "--json"],
        ["validate", "hostile.json", "--junitxml", "/dev/stderr"],
        ["plan", "hostile.json"],
        ["submit", "hostile.json", "--valid-only", "-v", "--junitxml", "/dev/stdout"],
        ["results"],
        ["results", "--format", "table"],
        ["results", "--json"],
        ["results", "--format", "jsonl"],
        ["results", "--failed", "--as-manifest"],
        ["results", "--failed", "--as-manifest", "--format", "jsonl"],
        ["status"],
        ["explain", "::error::x"],
        ["::error::x"],
        ["results", "--job", "x\n::error::x ##[y]"],
        ["submit", "\n::error::x.csv"],
        ["submit", "hostile.json", "--map", "\r::error::x=##[y]"],
    ):
        _, out, err = call(*words)
        assert commands_in(ours(out)) == [], words
        assert commands_in(ours(err)) == [], words
        assert words[-1] in ("results", "--as-manifest") or not HIDDEN.search(out), words


def test_no_file_holds_a_raw_hidden_character_or_a_command(call: Call, tmp_path: Path) -> None:
    for name in ("p.csv", "p.json", "p.jsonl", "p.sarif"):
        call("validate", "hostile.json", "--problems", name, "--junitxml", f"{name}.xml")
        for file in (name, f"{name}.xml"):
            text = (tmp_path / file).read_bytes().decode("utf-8-sig")
            assert commands_in(text) == [], file
            assert file.endswith(".csv") or not HIDDEN.search(text), file
    for name in ("bad.csv", "bad.json", "bad.jsonl", "bad.yaml"):
        rows = [{"id": text, "url": "u", "caption": f"x{text}"} for text in ALL]
        write_rows(tmp_path / name, rows)
        text = (tmp_path / name).read_bytes().decode()
        assert commands_in(text) == [], name
        assert name.endswith(".csv") or not HIDDEN.search(text), name
    assert not HIDDEN.search((tmp_path / "summary.md").read_text())


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("unicode", [False, True])
def test_no_line_for_people_begins_with_a_command(tty: bool, unicode: bool) -> None:
    stream = Stream(io.StringIO(), tty=tty, unicode=unicode, columns=80)
    screen = Screen(stream)
    for text in COMMANDS:
        screen.line(text)
        screen.verbatim("  ", text)
        screen.hint(text, text)
        stream.line(text.replace("\x1b", ""))
    assert isinstance(stream.file, io.StringIO)
    written = stream.file.getvalue()
    assert commands_in(written) == []
    assert "owned" in written


def test_an_annotation_is_one_line_of_harmless_text() -> None:
    evil = "".join(CONTROLS) + "50 %\n::error::x,y:z\r\u202e"
    line = github.command("error", {"file": evil, "title": evil}, evil)
    assert not re.search("[\x00-\x1f]", line) and not HIDDEN.search(line)
    assert re.fullmatch(r"::error file=[^,:]*,title=[^,:]*::.*", line)
    assert "##[" not in github.command("error", {}, "##[group]x")
