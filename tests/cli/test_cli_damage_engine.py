"""A catalogue that is damaged somewhere: a page, a table, a column, a value. Each command that
meets it says so and exits 4, and none waits for what never comes."""

from __future__ import annotations

import io
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from ldimport.cli import main
from ldimport.errors import ExitCode

PAGE = 4_096
NAMED = " --system-name x --yes --state s.sqlite"
COMMANDS = (
    f"submit changed.csv -q -q{NAMED}", "watch -q -q --state s.sqlite --deadline 30s",
    "retry -q -q --state s.sqlite", "status OPEN --state s.sqlite",
    "engine check", "token list", "token create again", "worker",
)  # fmt: skip
Call = Callable[[str], tuple[int, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An engine with ended jobs, an open one and a token, which are a state file's too."""
    folder = tmp_path_factory.mktemp("engine-damage")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
                patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("LDIMPORT_ENGINE", "engine")
        patch.chdir(folder)
        picture = io.BytesIO()
        Image.new("RGB", (9, 9)).save(picture, "PNG")
        Path("good.png").write_bytes(picture.getvalue())
        Path("bad.png").write_bytes(b"<html>no image</html>")
        words = random.Random(1)
        for name, first in (("a", 0), ("b", 50)):
            lines = ["id,url,fileName,metadata.caption"]
            for n in range(first, first + 20):
                url = "bad.png" if n % 7 == 0 else "good.png"
                lines.append(f"id-{n},{url},Photo {n},{words.randbytes(200).hex()}")
            Path(f"{name}.csv").write_text("\n".join(lines) + "\n")
        Path("changed.csv").write_text(Path("a.csv").read_text().replace("Photo", "Picture"))
        assert main(f"submit a.csv -q -q{NAMED} --webhook http://a.example/".split()) == 1
        assert main(["token", "create", "one"]) == 0
        assert main(f"submit b.csv -q -q{NAMED} --no-wait".split()) in (0, 1)
        for left in Path("engine").glob("catalogue.sqlite-*"):
            assert left.stat().st_size == 0 or left.name.endswith("shm")
        shutil.copytree(folder / "engine", folder / "whole")
        shutil.copy("s.sqlite", "whole.sqlite")
        yield folder


@pytest.fixture
def call(home: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run a command line; exit code and what it says."""
    with sqlite3.connect(home / "whole" / "catalogue.sqlite") as connection:
        query = "SELECT id FROM job WHERE state = 'started'"
        (job,) = connection.execute(query).fetchone() or ("none",)
    connection.close()

    def run(line: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main([job if word == "OPEN" else word for word in line.split()])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out + err

    return run


def restore(home: Path) -> Path:
    until = time.monotonic() + 10
    while True:  # a worker told to end may still write, and make the folder again
        shutil.rmtree(home / "engine", ignore_errors=True)
        try:
            shutil.copytree(home / "whole", home / "engine")
            break
        except FileExistsError:
            assert time.monotonic() < until
    for left in home.glob("s.sqlite*"):
        left.unlink()
    shutil.copy(home / "whole.sqlite", home / "s.sqlite")
    return home / "engine" / "catalogue.sqlite"


def changed(home: Path, *statements: str) -> None:
    connection = sqlite3.connect(restore(home), isolation_level=None)
    for sql in ("PRAGMA foreign_keys=0", *statements):
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("token.created_at", "x'ff'", "token list"),
        ("token.expires_at", "'soon'", "token list"),
        ("token.revoked_at", "1e300", "token list"),
        ("token.scopes", "x'ff'", "token list"),
        ("token.id", "x'ff'", "token create again"),
        ("job.state", "'begun'", COMMANDS[0]),
        ("job.images", "'many'", COMMANDS[1]),
        ("job.skipped", "-1e300", COMMANDS[2]),
        ("job.created_at", "'long ago'", COMMANDS[1]),
        ("terms.options", "'no JSON'", COMMANDS[0]),
        ("terms.limits", "'[1]'", COMMANDS[1]),
        ("terms.config", "'none'", COMMANDS[0]),
        ("config.body", "x'ff'", "worker"),
        ("item.metadata", "'[1]'", "worker"),
        ("item.url", "x'ff'", "worker"),
        ("item.status", "'begun'", COMMANDS[0]),
        ("item.worker", "'somebody'", COMMANDS[1]),
        ("asset.width", "'wide'", COMMANDS[0]),
        ("asset.sha256", "x'ff'", "engine check"),
        ("asset.size", "'large'", "engine check"),
        ("media.title", "x'ff'", "engine check"),
        ("webhook.due_at", "'soon'", "engine check"),
    ],
)
def test_a_value_that_was_never_written_is_damage(
    home: Path, call: Call, column: str, value: str, line: str
) -> None:
    table, name = column.split(".")
    changed(home, f"UPDATE {table} SET {name} = {value}")
    code, said = call(line)
    assert code == ExitCode.CONFIG, said
    if "check" not in line and "-q" not in line:
        assert "--engine FOLDER" in said


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize(
    "sql", ["DROP TABLE webhook", "DROP INDEX item_free", "ALTER TABLE media RENAME etag TO tag"]
)
def test_what_is_missing_is_damage_for_every_command(
    home: Path, call: Call, line: str, sql: str
) -> None:
    changed(home, sql)
    code, said = call(line)
    assert (code == ExitCode.CONFIG and "damaged" in said) or "-q" in line, said


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS)
def test_a_damaged_page_anywhere_is_exit_4_or_changes_nothing(
    home: Path, call: Call, line: str
) -> None:
    if line == "worker":
        pytest.skip("it goes on until it is told to end")
    whole = (home / "whole" / "catalogue.sqlite").read_bytes()
    for at in range(PAGE, len(whole), PAGE):
        restore(home).write_bytes(whole[:at] + b"\x5a" * PAGE + whole[at + PAGE :])
        code, said = call(line)
        assert code in (0, 1, ExitCode.CONFIG), (at // PAGE, said)


@pytest.mark.parametrize("name", ["tmp", "blobs", "workers"])
def test_a_folder_of_the_engine_that_is_none_is_exit_4(home: Path, call: Call, name: str) -> None:
    restore(home)
    shutil.rmtree(home / "engine" / name, ignore_errors=True)
    (home / "engine" / name).write_text("x")
    code, said = call(f"submit changed.csv{NAMED}")
    assert code == ExitCode.CONFIG and "disk" not in said, said
