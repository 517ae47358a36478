"""Which archive a command acts on, and that every next command means the same one."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ldimport.cli import app, main
from ldimport.cli.output.stream import Stream
from ldimport.cli.session import Session
from ldimport.engine import Engine

LIVE = "https://edit.example.com"
"""Nothing of these tests may reach it; without a token nothing even tries."""

Call = Callable[..., tuple[int, str]]


def no_settings(patch: pytest.MonkeyPatch, home: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            patch.delenv(name)
    patch.setenv("HOME", str(home))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project ``place`` of a live server with a profile, another folder, and a user of it."""
    no_settings(monkeypatch, tmp_path / "home")
    place = tmp_path / "place"
    for folder in (place, tmp_path / "away", tmp_path / "home"):
        folder.mkdir()
    write_manifest(place / "archive.csv", "a")
    settings = f"target: {LIVE}\nsystemName: archiv\nprofiles:\n"
    settings += "  foto: {systemName: foto, state: foto.sqlite, engine: foto-engine}\n"
    (place / "ldimport.yaml").write_text(settings)
    (place / "other.yaml").write_text("systemName: other\nstate: other.sqlite\nengine: other\n")
    assert main(["config", "trust", str(place / "ldimport.yaml")]) == 0
    monkeypatch.chdir(place)
    yield tmp_path


def write_manifest(path: Path, ids: str, *, broken: bool = False) -> Path:
    """Two rows, of which the second one is no image; ``broken``: and one that is invalid."""
    data = io.BytesIO()
    Image.new("RGB", (9, 9)).save(data, "PNG")
    (path.parent / f"{ids}.png").write_bytes(data.getvalue())
    (path.parent / "bad.png").write_bytes(b"<html>no image</html>")
    rows = [(f"{ids}-1", f"{ids}.png"), (f"{ids}-2", "bad.png")]
    rows += [(f"{ids}-3", "")] if broken else []
    if path.suffix == ".json":
        images = [{"id": id_, "url": url, "fileName": id_} for id_, url in rows]
        path.write_text(json.dumps({"systemName": "own", "images": images}))
    else:
        lines = [f"{id_},{url},{id_}" for id_, url in rows]
        path.write_text("\n".join(["id,url,fileName", *lines]) + "\n")
    return path


@pytest.fixture
def call(home: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run a command line: exit code, and all that it said."""

    def run(line: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(shlex.split(line))
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out + err

    return run


def document(call: Call, line: str) -> Any:
    return json.loads(call(f"{line} --json -q")[1])


HINT = re.compile(r"\bldimport ([a-z]+\b.*?)(?=   |$)", re.MULTILINE)


def hints(said: str) -> set[str]:
    """The next commands on a screen, without the program's name."""
    return {each.strip() for each in HINT.findall(said)}


def meant(line: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What a command line would act on, by its settings and its manifest."""
    seen: list[Session] = []
    with monkeypatch.context() as patch:
        patch.setattr(app.TyperCommand, "invoke", lambda _, ctx: seen.append(ctx.obj) or 0)
        assert main(shlex.split(line)) == 0, line
    (session,) = seen
    settings = session.settings
    name = settings.system_name or "local"
    if session.paths and str(session.paths[0]).endswith(".json"):
        name = "own"
    return {
        "state": settings.state.resolve(),
        "target": settings.target,
        "engine": settings.engine.resolve(),
        "name": name,
    }


def all_failures_may_work_later(state: Path) -> None:
    """So that a retry is proposed."""
    if state.exists():
        with closing(sqlite3.connect(state)) as connection, connection:
            connection.execute("UPDATE image SET retryable = 1 WHERE status = 'failed'")


FLAGS = {
    "a rehearsal of a live project": ("place", "archive.csv", "--target embedded"),
    "a profile": ("place", "archive.csv", "-p foto --target embedded"),
    "a profile before the command": ("place", "archive.csv", "--profile=foto --target=embedded"),
    "another config file": ("place", "archive.csv", "--config other.yaml"),
    "a state file and an engine": (
        "place",
        "archive.csv",
        "--state 'my state.sqlite' --engine ./e --target embedded --system-name 'a b'",
    ),
    "a manifest elsewhere": ("away", "../place/archive.csv", "--target embedded"),
    "a manifest elsewhere, with a profile": (
        "away",
        "../place/archive.csv",
        "--target embedded -p foto",
    ),
    "a manifest's own name": ("place", "own.json", "--target embedded"),
    "a manifest's own name elsewhere": ("away", "../place/own.json", "--target embedded"),
    "nothing at all": ("away", "mine.csv", ""),
}


@pytest.mark.parametrize(("folder", "manifest", "flags"), FLAGS.values(), ids=FLAGS)
def test_every_next_command_means_the_same_run(
    home: Path,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    manifest: str,
    flags: str,
) -> None:
    """Whatever is printed is carried out, and what that prints too."""
    for path in (home / "place" / "archive.csv", home / "place" / "own.json"):
        write_manifest(path, "a", broken=True)
    write_manifest(home / "away" / "mine.csv", "a", broken=True)
    monkeypatch.chdir(home / folder)
    right = meant(f"submit {manifest} {flags}", monkeypatch)
    first = ["validate", "plan", "submit", "submit --valid-only", "plan"]
    waiting = [f"{line} {manifest} {flags}" for line in first]
    done: set[str] = set()
    while waiting:
        line = waiting.pop(0)
        all_failures_may_work_later(Path(str(right["state"])))
        code, said = call(line)
        assert code in (0, 1, 3), said
        done.add(line)
        for hint in sorted(hints(said) - done - {*waiting}):
            assert meant(hint, monkeypatch) == right, f"{line} → {hint}"
            if not re.search(r"\b(FILE|HOST|MANIFEST)\b", hint):
                waiting.append(hint)
            if hint.startswith("retry") and not re.search(
                "--(cause|job)", hint
            ):  # the same options for what no screen names
                waiting += [f"{word}{hint[5:]}" for word in ("status", "watch", "explain a-2")]
                (job, *_) = document(call, f"status{hint[5:]}")["jobs"]
                waiting.append(f"status {job['id']}{hint[5:]}")
    write_manifest((home / folder / manifest).resolve(), "a")
    for hint in hints(call(f"validate {manifest} {flags}")[1]):
        assert meant(hint, monkeypatch) == right
    commands = {line.split()[0] for line in done}
    assert commands >= {"validate", "plan", "submit", "results", "retry"}, done


def test_a_next_command_names_the_archive_where_others_are_known(home: Path, call: Call) -> None:
    os.chdir(home / "away")
    write_manifest(home / "away" / "mine.csv", "m")
    assert "→ ldimport retry   " not in call("submit mine.csv")[1], "not retryable"
    call("submit ../place/archive.csv --config ../place/other.yaml --state one.sqlite")
    _, said = call("submit mine.csv --state one.sqlite --system-name mine")
    assert any("--system-name mine" in each for each in hints(said))
    write_manifest(home / "away" / "own.json", "o")
    _, said = call("submit own.json --state one.sqlite")
    (again,) = [each for each in hints(said) if each.startswith("results --failed")]
    assert "--system-name own" in again and "--target embedded" in again


# -- two archives in one state file ---------------------------------------------------------------


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archives ``one`` and ``two`` in one state file at one engine, each with a failure; each
    has a folder whose project file names it."""
    place = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        no_settings(patch, place)
        for name in ("one", "two"):
            folder = place / name
            folder.mkdir()
            settings = f"systemName: {name}\nstate: ../s.sqlite\nengine: ../engine\n"
            (folder / "ldimport.yaml").write_text(settings)
            write_manifest(folder / "archive.csv", name)
            assert main(["config", "trust", str(folder / "ldimport.yaml")]) == 0
            assert main(["submit", str(folder / "archive.csv"), "-qq"]) == 1
    return place


@pytest.fixture
def two(home: Path, both: Path) -> Path:
    """A copy of it, and a folder where nothing names an archive."""
    for each in ("one", "two", "engine"):
        shutil.copytree(both / each, home / each)
    shutil.copy(both / "s.sqlite", home / "s.sqlite")
    for name in ("one", "two"):
        assert main(["config", "trust", str(home / name / "ldimport.yaml")]) == 0
    os.chdir(home / "away")
    return home


BOTH = "--state ../s.sqlite --engine ../engine"


def attempts(call: Call, name: str) -> int:
    rows = document(call, f"results --all {BOTH}")["results"]
    return max(row["attempts"] for row in rows if row["systemName"] == name)


def test_a_command_in_a_folder_is_about_its_archive(two: Path, call: Call) -> None:
    os.chdir(two / "one")
    found = document(call, "status")
    assert [each["systemName"] for each in found["scopes"]] == ["one"]
    assert {job["systemName"] for job in found["jobs"]} == {"one"}
    assert [each["systemName"] for each in found["elsewhere"]] == ["two"]
    assert {row["systemName"] for row in document(call, "results")["results"]} == {"one"}
    for command in ("status", "results"):
        said = call(command)[1]
        assert f"→ ldimport {command} --all" in said and "two at local engine (2)" in said
    assert {row["systemName"] for row in document(call, "results --all")["results"]} == {
        "one",
        "two",
    }


def test_retry_sends_the_failures_of_its_archive_only(two: Path, call: Call) -> None:
    os.chdir(two / "one")
    code, said = call("retry --all")
    assert code == 1 and "two at local engine (1)" in said
    os.chdir(two / "away")
    assert (attempts(call, "one"), attempts(call, "two")) == (2, 1)
    os.chdir(two / "two")
    assert call("retry --all --all-archives")[0] == 1
    os.chdir(two / "away")
    assert (attempts(call, "one"), attempts(call, "two")) == (3, 2)


def test_retry_of_nothing_named_lists_what_there_is(two: Path, call: Call) -> None:
    code, said = call(f"retry {BOTH}")
    assert code == 2 and "2 archives" in said
    for name in ("one", "two"):
        assert f"ldimport retry --state ../s.sqlite --engine ../engine --system-name {name}" in said
    assert (attempts(call, "one"), attempts(call, "two")) == (1, 1)
    assert call(f"retry --all {BOTH} --system-name two")[0] == 1
    assert (attempts(call, "one"), attempts(call, "two")) == (1, 2)


def test_a_job_of_another_archive_is_not_sent_again(two: Path, call: Call) -> None:
    jobs = {job["systemName"]: job["id"] for job in document(call, f"status {BOTH}")["jobs"]}
    os.chdir(two / "one")
    for line in (f"retry --job {jobs['two']}", f"watch {jobs['two']}"):
        code, said = call(line)
        assert code == 2 and f"{line} --system-name two" in said
    assert call(f"retry --job {jobs['one']}")[0] == 1
    assert call(f"retry --all --job {jobs['two']} --system-name two")[0] == 1
    assert "systemName two at local engine" in call(f"status {jobs['two']}")[1]
    rows = document(call, f"results --job {jobs['two']}")["results"]
    assert {row["systemName"] for row in rows} == {"two"}, "its id names it"


def test_nothing_named_shows_all_with_target_and_archive(two: Path, call: Call) -> None:
    found = document(call, f"status {BOTH}")
    assert [each["systemName"] for each in found["scopes"]] == ["one", "two"]
    assert found["elsewhere"] == [] and all(job["target"] for job in found["jobs"])
    said = call(f"results --format table {BOTH}")[1]
    assert "TARGET" in said and "SYSTEMNAME" in said and "local engine" in said
    said = call(f"results --format table {BOTH} --system-name one")[1]
    assert "SYSTEMNAME" not in said, "the same in every row"
    _, said = call(f"results --format csv {BOTH}")
    rows = list(csv.DictReader(io.StringIO(said)))
    assert {(row["target"], row["systemName"]) for row in rows} == {
        ("local engine", "one"),
        ("local engine", "two"),
    }


def test_status_on_a_terminal_says_which_archive_a_job_is_of(
    two: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ldimport.cli.session.look_at", lambda file, *_, **__: Stream(file, tty=True, columns=100)
    )
    said = call(f"status {BOTH}")[1]
    assert "TARGET" in said and "SYSTEMNAME" in said
    said = call(f"status {BOTH} --system-name one")[1]
    assert "SYSTEMNAME" not in said and "also in the state file: two at local engine (2)" in said


def test_a_manifest_has_one_archive(two: Path, call: Call) -> None:
    code, said = call(f"results --failed --as-manifest {BOTH}")
    assert code == 2 and "--as-manifest" in said and "--system-name one" in said
    code, said = call(f"results --failed --as-manifest {BOTH} --system-name one -q")
    assert code == 0 and "one-2" in said and "two-2" not in said


def test_submit_leaves_the_open_jobs_of_another_archive_alone(two: Path, call: Call) -> None:
    write_manifest(two / "two" / "archive.csv", "new")
    os.chdir(two / "two")
    *_, last = call("submit archive.csv --no-wait --json")[1].splitlines()
    (job,) = json.loads(last)["jobs"]
    assert (job["systemName"], job["state"]) == ("two", "started")
    with Engine(two / "engine") as engine:
        before = engine.progress(job["id"])
    os.chdir(two / "one")
    for rows in ("one", "more"):  # nothing to send, and something
        write_manifest(two / "one" / "archive.csv", rows)
        _, said = call("submit archive.csv")
        assert "new-" not in said and "→ ldimport watch --all" in said
    with Engine(two / "engine") as engine:
        assert engine.progress(job["id"]) == before, "nobody worked on it"
    os.chdir(two / "two")
    assert call("watch")[0] == 1
    assert document(call, f"status {job['id']} --offline")["finished"]


# -- what does not exist --------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "results", "watch", "retry", "results --failed"])
@pytest.mark.parametrize(
    ("option", "proposed"),
    [
        ("--state ../s.sqlit --engine ../engine", "--state ../s.sqlite"),
        ("--state ../s.sqlite --engine ../engin --target embedded", "--engine ../engine"),
        (f"{BOTH} --system-name tow", "two"),
        (f"{BOTH} --target https://edit.example.com", "ldimport status --all"),
    ],
    ids=["state", "engine", "name", "target"],
)
def test_a_place_that_does_not_exist_is_a_wrong_command_line(
    two: Path, call: Call, monkeypatch: pytest.MonkeyPatch, command: str, option: str, proposed: str
) -> None:
    (two / "ee").mkdir()
    monkeypatch.setenv("LDIMPORT_TOKEN", "t")
    before = {path for path in two.rglob("*") if path.suffix != ".lock"}
    code, said = call(f"{command} {option}")
    assert code == 2 and proposed in said and "No " not in said
    made = {path for path in two.rglob("*") if path.suffix != ".lock"} - before
    assert not made, "nothing comes of a typing error"


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("results --cause not-an-imag", "did you mean not-an-image?"),
        ("retry --cause not-an-imag --system-name one", "did you mean not-an-image?"),
        ("results --host img.exmple.com", "no image came from the host"),
        ("results --job nosuch", "no job “nosuch”"),
        ("engine check --engine ../engin", "no such engine folder"),
        ("token list --engine ../engin", "no such engine folder"),
    ],
)
def test_a_filter_that_does_not_exist_is_a_wrong_command_line(
    two: Path, call: Call, line: str, proposed: str
) -> None:
    own = BOTH if "--engine" not in line else ""
    code, said = call(f"{line} {own}")
    assert code == 2 and proposed in said


def test_a_cause_that_exists_and_hit_nobody_is_no_mistake(two: Path, call: Call) -> None:
    code, said = call(f"results --cause origin-503 {BOTH}")
    assert code == 0 and "No images" in said


def test_the_usual_state_file_may_be_missing(home: Path, call: Call) -> None:
    os.chdir(home / "away")
    for command in ("status", "results", "retry", "watch"):
        assert call(command)[0] == 0
    assert (
        call("submit ../place/archive.csv --config ../place/other.yaml --state new.sqlite")[0] == 1
    )
    assert (home / "away" / "new.sqlite").exists(), "who writes makes one"


# -- a mistyped systemName ------------------------------------------------------------------------


@pytest.mark.parametrize("yes", ["", "--yes"])
def test_a_mistyped_system_name_stops_before_anything_is_sent(
    two: Path, call: Call, yes: str
) -> None:
    os.chdir(two / "one")
    Path("ldimport.yaml").write_text("systemName: noe\nstate: ../s.sqlite\nengine: ../engine\n")
    main(["config", "trust"])
    code, said = call(f"submit archive.csv {yes}")
    assert code == 2 and "was sent before under systemName “one”" in said
    names = {each.split("--system-name ")[1].split()[0] for each in hints(said)}
    assert names == {"one", "noe"}
    assert {each["systemName"] for each in document(call, "status --all")["scopes"]} == {
        "one",
        "two",
    }
    assert call(f"submit archive.csv {yes} --system-name noe")[0] == 1
    assert call(f"submit archive.csv {yes}")[0] == 1, "now it is known"


def test_a_new_archive_with_other_ids_is_not_asked_about(two: Path, call: Call) -> None:
    os.chdir(two / "away")
    write_manifest(two / "away" / "more.csv", "more")
    assert call(f"submit more.csv {BOTH}")[0] == 1


def test_what_a_hint_names_is_not_named_twice(two: Path, call: Call) -> None:
    code, said = call(f"status nojob {BOTH}")
    (hint,) = [line for line in said.splitlines() if line.startswith("→ ")]
    assert code == 2 and "nojob" not in hint and " job " not in hint
    session = Session(
        words=("submit", "a.csv"),
        kept=[("--map", "id=Nr"), ("--map", "url=Pfad")],
        again=[("--allow-host", "a:1")],
    )
    once = session.next_command("submit", "a.csv", "--map", "id=Nr", "--allow-host", "b:2")
    assert session.completed(f"{once}   why") == f"{once}   why", "harmless when done twice"
    assert once.count("--map") == once.count("--allow-host") == 2
