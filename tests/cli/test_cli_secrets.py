"""URLs whose parts let in whoever has them: every command is run, and nothing it shows or writes
holds such a part, but for the documents that carry the URL as it is."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import forked
import pytest

from ldimport.cells import csv_line
from ldimport.cli.output.check import window
from ldimport.cli.run import clean_logs, redact, write_crash
from ldimport.cli.session import Session
from ldimport.files import NewFile
from ldimport.url import without_secrets

S3 = "X-Amz-Credential=S3CRETA&X-Amz-Signature=S3CRETB&w=200"
BAD = "https://usr:S3CRETC@a.test/x.jpg?sig=S3CRETD&se=S3CRETE"
HOOK = "https://hooks.test/x?sig=S3CRETF"
BASE = "http://127.0.0.1:1/base/?token=S3CRETG"
EVENTS = ("--json", "--log-file", "log.jsonl")


class Place:
    """A folder with a manifest of secrets, and all that the commands said."""

    def __init__(self, root: Path) -> None:
        self.root = root
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LDIMPORT_", "LI_"))}
        self.env = {**kept, "HOME": str(root / "home"), "COLUMNS": "80",
                    "HTTPS_PROXY": "http://usr:S3CRETH@127.0.0.1:1"}  # fmt: skip
        for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            self.env[name] = str(root / "home" / name)
        (root / "home").mkdir()
        (root / "good.csv").write_text(
            "id,url,fileName\n"
            f"a,http://127.0.0.1:1/a.jpg?{S3},A\n"
            "b,no-such.jpg?key=S3CRETI,B\n"
            f"https://a.test/?token=S3CRETJ,http://127.0.0.1:1/c.jpg?{S3},C\n"
        )
        (root / "bad.csv").write_text(
            f"id,url,fileName\nd,{BAD},D\ne,https://a.test/x y?sig=S3CRETK,E\n"
            f"f,{BAD.replace('https', 'ftp')},F\n"
        )
        self.said: list[str] = []

    def run(self, *words: str, exact: bool = False, **env: str) -> str:
        done = subprocess.run(
            [*forked.command(), *words], cwd=self.root, env={**self.env, **env}, timeout=120,
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert "Traceback" not in done.stderr and done.returncode != 70
        self.said.append(f"{'' if exact else done.stdout}{done.stderr}")
        return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """After every command was run once, as text and as JSON."""
    place = Place(tmp_path_factory.mktemp("secrets"))
    sending = ("good.csv", "--base-url", BASE, "--system-name", "x", "--allow-host", "127.0.0.1:1")
    for more in ((), EVENTS):
        place.run("submit", *sending, "--webhook", HOOK, *more)
        for command in ("validate", "plan"):
            place.run(command, *sending[:5], *more)
            place.run(command, "bad.csv", "--system-name", "x", *more)
        place.run("validate", "bad.csv", "--problems", "p.csv", "--junitxml", "j.xml", *more)
        place.run("validate", "bad.csv", "--problems", "p.jsonl", *more, GITHUB_ACTIONS="1",
                  GITHUB_STEP_SUMMARY=str(place.root / "summary.md"))  # fmt: skip
        place.run("validate", "bad.csv", "--problems", "p.sarif", *more)
        place.run("validate", "bad.csv", "--problems", "p.json", *more)
        place.run("submit", "bad.csv", "--system-name", "x", "--webhook", HOOK, *more)
        place.run("retry", "--fail-on", HOOK, *more)
        place.run("watch", *more)
        place.run("status", *more)
        place.run("explain", "a", *more)
        place.run("explain", "https://a.test/?token=S3CRETJ", *more)
        place.run("results", "--format", "table", "--failed")
        place.run("submit", *sending[:5], "--target", BAD, *more)
        place.run("submit", *sending[:3], "--allow-host", "usr:S3CRETL@a.test", *more)
        place.run("config", "check", *more, LDIMPORT_TARGET="https://a.test/?sig=S3CRETM")
        place.run("config", "show", *more, LDIMPORT_WEBHOOK=HOOK, LDIMPORT_BASE_URL=BASE)
        place.run("config", "check", "--target", "https://a.test", *more, LDIMPORT_TOKEN="t")
    return place


def test_no_command_shows_what_lets_in(place: Place) -> None:
    leaks = [said for said in place.said if "S3CRET" in said]
    assert not leaks, leaks[0]
    assert any("…@a.test" in said for said in place.said)
    assert any("w=200" in said for said in place.said)


@pytest.mark.parametrize(
    "name", ["log.jsonl", "p.csv", "p.jsonl", "p.json", "p.sarif", "j.xml", "summary.md"]
)
def test_no_log_or_report_holds_what_lets_in(place: Place, name: str) -> None:
    written = (place.root / name).read_text("utf-8-sig")
    assert written and "S3CRET" not in written


def test_whatever_holds_it_is_the_owners_alone(place: Place) -> None:
    files = [path for path in place.root.rglob("*") if path.is_file()]
    kept = [path for path in files if b"S3CRET" in path.read_bytes()]
    own = [path for path in kept if path.name not in ("good.csv", "bad.csv")]
    assert any(path.suffix == ".sqlite" for path in own)
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in own), own


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_results_for_scripts_are_exact_unless_redacted(place: Place, form: str) -> None:
    exact = place.run("results", "--format", form, exact=True)
    assert "S3CRETB" in exact
    redacted = place.run("results", "--format", form, "--redact")
    assert "S3CRET" not in redacted and "w=200" in redacted
    assert len(redacted.splitlines()) == len(exact.splitlines())
    rows = place.run("results", "--as-manifest", "--format", form, exact=True)
    assert "S3CRETB" in rows
    assert "S3CRET" not in place.run("results", "--as-manifest", "--format", form, "--redact")


def test_json_of_results_stays_json(place: Place) -> None:
    found = json.loads(place.run("results", "--json", "--redact"))
    assert {row["fileName"] for row in found["results"]} == {"A", "B", "C"}


@pytest.mark.parametrize("column", [1, 4, 9, 20, 35, 60])
@pytest.mark.parametrize("width", [None, 40, 80])
def test_the_line_above_a_caret_holds_no_secret(column: int, width: int | None) -> None:
    value = without_secrets(BAD)
    line, caret, _ = window(f"d, {BAD} ,D", column, value if column == 4 else "", width, 8)
    assert "S3CRET" not in line
    assert caret == 4 or column != 4


def test_a_log_of_a_bug_holds_no_secret_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    clean_logs()
    log = logging.Logger("tests")
    log.error("GET %s", f"/a\n::error::x\x1b[2J\u202e {BAD}", exc_info=ValueError(f"{BAD} ##[x]"))
    said = capsys.readouterr().err
    assert "S3CRET" not in said and "\x1b" not in said and "\u202e" not in said
    assert "ValueError" in said and "##[" not in said and "\n::" not in said


def test_a_terminal_gets_no_sign_that_it_obeys_from_a_csv() -> None:
    import pty

    ours, theirs = pty.openpty()
    with NewFile(f"/dev/fd/{theirs}") as file:
        file.write(csv_line(["a\x1b]0;x\x07\x9b2J\u202eb\rc"]))
        file.write(csv_line([":\x1b:error::d"]))
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # EIO is the end of a terminal, which gives what it has by then
        while part := os.read(ours, 100):
            shown += part
    os.close(ours)
    assert shown.decode().splitlines() == ['"a]0;x2Jbc"', ": :error::d"]


def test_a_crash_file_holds_nothing_that_others_obey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    error = ValueError(f"{BAD}\n::error::x\r##[group]y\x1b[2J\x9b\u202ez")
    lines = write_crash(error, ["submit", "a.csv"], {}).read_text("utf-8").splitlines()
    assert not [line for line in lines if re.search("^::|##\\[|S3CRET|[\x00-\x1f\x9b\u202e]", line)]
    assert "command: submit …" in lines and lines[3].startswith("ValueError: ")


def test_a_crash_file_holds_no_secret_of_a_url() -> None:
    assert "S3CRET" not in redact(f"ValueError: {BAD} and http://x.test/?{S3}", {})


def test_the_quotes_of_a_hint_tear_no_url_apart() -> None:
    options = (
        ("--base-url", "http://a.test/?sig=a'S3CRETA&w=200"),
        ("--webhook", "//u:a'S3CRETB@b/"),
    )
    session = Session(words=("submit", "a b.csv"), kept=options[:1], again=options[1:])
    assert session.arguments == "'a b.csv' --base-url 'http://a.test/?sig=…&w=200'"
    assert session.command == f"submit {session.arguments} --webhook '//…@b/'"


@pytest.mark.parametrize("name", ["l.csv", "l.json"])
def test_what_is_cut_to_fit_keeps_no_half_of_a_password(place: Place, name: str) -> None:
    """The sign that tells a password from a host stands behind it."""
    url = f"https://usr:{'S3CRET' * 40}@a.test/"
    rows = [
        {"id": url, "url": f"{url} x", "fileName": "A", "mediaType": url},
        {"id": url, "url": url.replace("https", "s3"), "fileName": "A", url: url},
        {"id": "a", "url": url, "fileName": url, "metadata": {url: url}},
    ]
    if name == "l.json":
        text = json.dumps([*rows, {"id": "b", "url": {"u": url}, "fileName": [url]}, url])
    else:
        columns = ("id", "url", "fileName", "mediaType", url)
        cells = [columns, *([str(row.get(each, "")) for each in columns] for row in rows)]
        text = "".join(map(csv_line, cells))
    (place.root / name).write_text(text)
    before = len(place.said)
    for file in ("l-p.csv", "l-p.jsonl", "l-p.sarif"):
        place.run("validate", name, "--problems", file, "--junitxml", "l.xml", "--warnings")
        assert "S3CRET" not in (place.root / file).read_text("utf-8-sig")
    place.run("validate", name, "--json")
    assert "S3CRET" not in "".join(place.said[before:]) + (place.root / "l.xml").read_text()
    (place.root / name).unlink()
