"""What ``--json`` prints has a schema, for every command, and is what the schema says."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import forked
import pytest
from cli_screens import CAUSES, ENDS, NOW, plan, refused
from json_schemas import branches, command_of, faults
from jsonschema import Draft202012Validator
from PIL import Image

from ldimport.cli import main
from ldimport.cli.app import root
from ldimport.cli.command import COMMANDS, GROUPS
from ldimport.cli.output import documents, served
from ldimport.cli.output.schemas import Output, definitions, emitted, schema_of
from ldimport.engine.records import JobChange
from ldimport.engine.store import busy
from ldimport.engine.webhooks import DeliveryAttempt
from ldimport.migration.events import (
    BatchSent,
    CanaryEnded,
    Event,
    JobEnded,
    Left,
    Patched,
    Planned,
    Progress,
    RetryPlanned,
    Summary,
    Waiting,
)  # fmt: skip
from ldimport.migration.model import Failure, RetryGroup, Totals, Updates, Waiver
from ldimport.migration.quota import Forecast, Quota, Uploads
from ldimport.model import Counts, JobHint, JobState, Notice, Silence
from ldimport.server.contract import (
    EngineServed,
    Listening,
    Notified,
    RequestAnswered,
    ServeEvent,
    Stopped,
    WorkersPaused,
)  # fmt: skip
from ldimport.system import ProcessLock

EVERY = [*emitted()]
JSON = {words: each.output for words, each in emitted().items()}


def all_commands() -> list[str]:
    """As the command line knows them."""
    found = []
    for name in COMMANDS:
        command: Any = root().get_command(None, name)
        inner = command.commands if name in GROUPS else ()
        found += [f"{name} {each}" for each in inner] if inner else [name]
    return found


def test_every_command_has_a_schema() -> None:
    assert sorted(all_commands()) == sorted(EVERY)


@pytest.mark.parametrize("words", EVERY)
def test_a_schema_is_one_and_is_complete_in_itself(words: str) -> None:
    schema = schema_of(words)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["description"]
    text = json.dumps(schema)
    assert '"additionalProperties": false' not in text and '"enum"' not in text.replace(
        '"not": {"enum"', ""
    )  # keys and words may be added
    for name in {part.split('"')[0] for part in text.split("#/$defs/")[1:]}:
        assert name in schema["$defs"]  # type: ignore[operator]
    branches(words)  # every key has a meaning


def test_lines_are_told_apart_by_their_type_and_new_ones_are_let_through() -> None:
    for words, each in emitted().items():
        if each.output is not Output.LINES:
            continue
        validator = Draft202012Validator(schema_of(words))
        assert validator.is_valid({"type": "of-tomorrow", "anything": 1})
        first = definitions()[each.lines[0]]["properties"]["type"]["const"]  # type: ignore[index,call-overload]
        assert not validator.is_valid({"type": first})
        assert not validator.is_valid({"anything": 1})


def test_what_a_schema_does_not_say_is_found() -> None:
    """The check that all tests go through sees each kind of fault."""
    right = {"format": 1, "id": "7f3a9c", "revoked": True}
    assert faults("token revoke", right) == []
    assert faults("token revoke", {**right, "more": 1})
    assert faults("token revoke", {"format": 1, "id": "7f3a9c"})
    assert faults("token revoke", {**right, "revoked": "yes"})
    kinds = {"subject": "token", "severity": "fatal", "message": "", "hint": ""}
    assert faults("config check", {"format": 1, "findings": [kinds], "exitCode": 0})
    run = {"type": "batch", "jobId": "a", "images": 1, "rows": [1, 1], "at": "2026-11-29T08:00:00Z"}
    assert faults("submit", run) == []
    assert faults("submit", {**run, "at": "yesterday"})
    assert faults("submit", {**run, "type": "of-tomorrow"})


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an archive of four rows, of which one fails for good, no settings."""
    for name in [name for name in os.environ if name.startswith(("LDIMPORT_", "LI_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    rows = ["id,url,fileName"]
    for n in range(4):
        data = io.BytesIO()
        Image.new("RGB", (8 + n, 9), (n, n, n)).save(data, "PNG")
        (tmp_path / f"{n}.png").write_bytes(b"<html>" if n == 3 else data.getvalue())
        rows.append(f"id-{n},{n}.png,Photo {n}")
    (tmp_path / "archive.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "broken.csv").write_text("id,url\nid-1,\nid-1,x.png\n")
    return tmp_path


Call = Callable[..., list[Any]]


@pytest.fixture
def call(home: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run a command line with ``--json``: what it printed, each document held against its schema.
    ``code``: the exit code that must come."""

    def run(line: str, code: int = 0) -> list[Any]:
        capfd.readouterr()
        words = line.split()
        assert main([*words, "--json"]) == code, line
        out = capfd.readouterr().out
        command = command_of(words)
        try:
            found = [json.loads(out)]
        except json.JSONDecodeError:
            found = [json.loads(each) for each in out.splitlines()]
        for each in found:
            assert faults(command, each) == [], (line, each)
        return found

    return run


def test_it_prints_a_schema_and_lists_them(
    home: Path, capfd: pytest.CaptureFixture[str], call: Call
) -> None:
    for words in (["state info"], ["state", "info"], ["ldimport", "state", "info"]):
        assert main(["schema", *words]) == 0
        assert json.loads(capfd.readouterr().out) == schema_of("state info")
    assert main(["schema"]) == 0
    shown = capfd.readouterr().out.splitlines()
    assert all(any(line.startswith(each) for line in shown) for each in EVERY)
    (listed,) = call("schema")
    assert {each["command"]: each["output"] for each in listed["commands"]} == JSON


@pytest.mark.parametrize(
    ("words", "hint"),
    [("sumbit", "did you mean submit?"), ("state", "use one of state info"), ("x y", "there are")],
)
def test_a_command_that_nobody_knows(
    home: Path, capsys: pytest.CaptureFixture[str], words: str, hint: str
) -> None:
    assert main(["schema", *words.split()]) == 2
    assert hint in capsys.readouterr().err


# -- all commands, well and unwell ---------------------------------------------------------------

WELL = """
init start --system-name new; validate archive.csv; plan archive.csv --show 2; explain id-0
explain origin-503; explain duplicate-id; explain id-0 --manifest archive.csv; status; results
results --failed; results --failed --as-manifest; export map; export map -o map.csv; export undo
export redirects -o r.csv; export undo -o undo.csv; webhooks list; webhooks resend --failed
token create ci; token list; engine check; state info; state check; state backup copy.sqlite
state export all.jsonl; state export; state import all.jsonl --state new.sqlite
state merge new.sqlite; state rebuild archive.csv --state third.sqlite
config show; config trust start/ldimport.yaml; config trust --list; config schema; schema; watch
report; report -o report.html; plan broken.csv; schema submit; submit archive.csv --dry-run
"""
"""Command lines that end with 0."""
UNWELL = """
2 status nothing; 2 status --state none.sqlite; 2 results --job none; 2 explain nobody-knows-it
2 token revoke none; 2 engine reset; 2 retry --job none; 2 waive id-0; 2 export map -o map.foo
2 state import none.jsonl; 2 state backup copy.sqlite; 2 watch none; 2 init start; 2 schema sumbit
2 verify --seed 1; 2 config trust none.yaml; 2 webhooks resend; 2 completion tcsh; 2 nothing
2 submit; 2 plan none.csv; 2 validate archive.csv --no-such; 3 validate broken.csv
3 submit broken.csv --system-name archiv; 2 state merge none.sqlite
3 state import archive.csv --state fourth.sqlite; 4 config show --config broken.yaml
4 status --state archive.csv; 4 engine check --engine .
2 state info --state none.sqlite; 4 serve --host 1.2.3.4 --port 1; 2 listen --host 0.0.0.0
2 worker --target http://x/
"""
"""Exit codes and the command lines that end with them."""


def lines(text: str) -> list[str]:
    return [each.strip() for each in text.replace("\n", ";").split(";") if each.strip()]


def test_every_command_prints_what_its_schema_says(home: Path, call: Call) -> None:
    (home / "start").mkdir()
    (home / "broken.yaml").write_text("nonsense: [\n")
    found = {"submit": call("submit archive.csv --system-name archiv", 1)}
    seen = set(found) | {"listen", "serve", "worker", "completion"}  # further down
    seen.add("ui")  # in its own tests
    (job,) = found["submit"][-1]["jobs"]
    call(f"status {job['id']}")
    for line in lines(WELL):
        seen.add(command_of(line.split()))
        last = call(line)[-1]
        assert isinstance(last, list) or last.get("type") != "error"
    for line in lines(UNWELL):
        code, words = line.split(maxsplit=1)
        *_, error = call(words, int(code))
        assert words.startswith("validate b") or error["type"] == "error"
    call("retry", 1)
    call("retry --all", 1)
    call("verify", 0)
    call("report")
    call("config check --target http://127.0.0.1:9/", 4)
    call("waive --cause not-an-image --reason lost")
    call("explain id-3")
    call("submit archive.csv --system-name archiv")
    call("waive id-3 --undo")
    (tokens,) = call("token list")
    call(f"token revoke {tokens['tokens'][0]['id']}")
    call("engine reset --yes")
    seen |= {"retry", "verify", "config check", "waive", "token revoke", "engine reset"}
    assert seen == {*EVERY}


def test_a_lock_is_an_error_document(home: Path, call: Call) -> None:
    call("submit archive.csv --system-name archiv", 1)
    state = call("state info")[0]["file"]
    lock = ProcessLock(Path(f"{state}.lock"))
    assert lock.take()
    try:
        (error,) = call("retry --all", 7)
    finally:
        lock.release()
    assert error["code"] == "locked"


@pytest.mark.parametrize(
    ("line", "kinds"),
    [("serve --port 0 --workers 1", ["listening", "engine", "stopped", "summary"]),
     ("listen --port 0", ["listening", "summary"]),
     ("worker --workers 1", ["start", "summary"])],
)  # fmt: skip
def test_commands_that_go_on_until_they_are_ended(home: Path, line: str, kinds: list[str]) -> None:
    running = subprocess.Popen(
        [*forked.command(), *line.split(), "--json"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "HOME": str(home)}, cwd=home,
    )  # fmt: skip
    assert running.stdout is not None
    first = running.stdout.readline()
    if line.startswith("serve"):
        first += running.stdout.readline()
    if line.startswith("worker"):
        while not busy(Path(json.loads(first)["engine"])):
            time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    rest, _ = running.communicate(timeout=60)
    told = [json.loads(each) for each in (first + rest).splitlines()]
    assert [each["type"] for each in told] == kinds and told[-1]["exitCode"] == 0
    for each in told:
        assert faults(line.split()[0], each) == []


def test_every_definition_is_of_use() -> None:
    used = {"line-of-a-newer-version"}
    for words in EVERY:
        used |= {*schema_of(words)["$defs"]}  # type: ignore[arg-type]
    assert {*definitions()} - used == {"plan-facts"}  # whose keys others have


# -- every event, made by hand: some come seldom -------------------------------------------------

HINT = JobHint("25bzj8j", "success", Counts(7, 1, 2), "key")
SERVED: list[ServeEvent] = [
    Listening("http://127.0.0.1:9095/", 9095),
    EngineServed(Path("engine"), ("image",), 7, 900, ("ci",), 2, 0),
    RequestAnswered("GET", "/api/v1/import/images/status", 200, 0.01),
    JobChange("25bzj8j", JobState.SUCCESS, Counts(7, 1, 2), 3.5),
    DeliveryAttempt("25bzj8j", "https://cms.example/", None, 0.1, "no answer; again in 5 s"),
    WorkersPaused("the disk is full", 30.0),
    Stopped(1),
    Notified(HINT, again=True),
]
QUOTA = Quota(NOW, 50_000, 100, (Uploads(NOW + 60, 50_000),), 40)
HAPPENED: list[Event] = [
    Planned(plan(changed=1), None, QUOTA, Forecast(2, NOW + 90_000)),  # type: ignore[arg-type]
    CanaryEnded(Totals(success=18, failed=2), CAUSES, "10%", passed=False),
    RetryPlanned((RetryGroup(CAUSES[0], 60, 61), RetryGroup(CAUSES[1], 0, 12))),
    Left("not-an-image", 12, "the file is no image", needs_change=True),
    Notice("unknown-columns", "column “Fotograf” is ignored"),
    BatchSent("25bzj8j", 800, 1, 800),
    Progress(10, 5, Counts(1, 1, 1, 2), 1, finish_at=NOW + 60),
    Failure("a", 1, "a.png", "no such file", "no-such-file", retryable=False, job_id="25bzj8j"),
    Waiting(NOW + 60, QUOTA),
    JobEnded("25bzj8j", JobState.LOST, Counts(pending=800)),
    Patched("a", ("caption",), "25bzj8j"),
    Silence("https://edit.example", "connection refused", 3, NOW + 5),
]


def test_every_event_of_a_run_has_its_line() -> None:
    known = {*get_args(Event)} - {Summary}
    assert {type(each) for each in HAPPENED} == known
    ends = [make() for make in ENDS.values()]
    rare = replace(
        ends[2], own=Totals(success=1), notes={"unpacked": 3}, held={"a.example": 4}, quota=QUOTA,
        finish_at=NOW + 60, updated=Updates(1, 2, 3),
        waived=(Waiver("lost", 2, (("a", 1),)),),
    )  # fmt: skip
    for each in (*HAPPENED, *ends, rare):
        line = documents.event(each, NOW)
        if isinstance(each, Progress):
            line |= {"perSecond": 1.0, "secondsLeft": None}
        which = "retry" if isinstance(each, RetryPlanned | Left) else "submit"
        assert faults(which, json.loads(documents.dumps(line))) == [], each


def test_every_event_of_a_server_has_its_line() -> None:
    assert {type(each) for each in SERVED} == {*get_args(ServeEvent)}
    for each in SERVED:
        which = "listen" if isinstance(each, Notified) else "serve"
        assert faults(which, json.loads(documents.dumps(served.document(each, NOW)))) == [], each


def test_an_error_of_the_quota_says_when_there_is_room() -> None:
    told = documents.error(refused())
    assert faults("submit", told) == [] and told["resumeAt"]
