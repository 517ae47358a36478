"""The screen of ``serve``, driven by a server of paper."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cli_screens import NOW, pipe, shown, terminal

from ldimport.cli import main
from ldimport.cli.output import served
from ldimport.credentials import Secret
from ldimport.engine.records import JobChange
from ldimport.engine.webhooks import DeliveryAttempt
from ldimport.errors import ExitCode, Terminated
from ldimport.model import Counts, JobHint, JobOptions, JobState
from ldimport.server.contract import (
    EngineServed,
    Listening,
    Notified,
    OnEvent,
    RequestAnswered,
    ServeEvent,
    ServeOptions,
    Stopped,
    WorkersPaused,
)
from ldimport.wire import Dialect

ENGINE = EngineServed(
    folder=Path("/data/engine"),
    media_types=("image", "archiveImage"),
    images=9_611,
    bytes=1_100_000_000,
    tokens=("editor",),
    workers=4,
    daily_limit=0,
)
HOOKS = "https://cms.example/hooks"
IMPORT = "/api/v1/import/images"
EVENTS: list[ServeEvent] = [
    RequestAnswered("POST", IMPORT, 200, 0.0312, "job 25bzj8j, 800 images"),
    JobChange("25bzj8j", JobState.STARTED, Counts(pending=800), 0.0),
    JobChange("25bzj8j", JobState.SUCCESS, Counts(771, 0, 29), 43.1),
    DeliveryAttempt("25bzj8j", HOOKS, 204, 0.081),
    DeliveryAttempt("25bzj8j", HOOKS, None, 0.009, "no answer; again in 5 s"),
    RequestAnswered("POST", IMPORT, 429, 0.001, "quota reached"),
    JobChange("9kk12b", JobState.FAILED, Counts(failed=3), 1.0),
    WorkersPaused("the disk is full", 30.0),
]

SCREEN = """\
ldimport 1.4.0  local import engine   Ctrl-C stops; nothing is lost

  pages   http://127.0.0.1:9095/
  API     http://127.0.0.1:9095/api/v1/import/images
  token   ldi_…c41f from LDIMPORT_SERVE_TOKEN, editor
  config  project-config.json · image, archiveImage
  data    ~/engine · 9,611 images · 1.1 GB
  limits  no quota · 4 workers · only public addresses are fetched

"""
LINES = """\
2026-11-23T08:11:00Z  POST /api/v1/import/images              200    31 ms  job 25bzj8j, 800 images
2026-11-23T08:11:00Z  job  25bzj8j  started, 800 images
2026-11-23T08:11:00Z  job  25bzj8j  ✗ 771 imported · 0 skipped · 29 failed   43 s
2026-11-23T08:11:00Z  hook 25bzj8j  https://cms.example/hooks   204   81 ms
2026-11-23T08:11:00Z  hook 25bzj8j  https://cms.example/hooks   no answer   9 ms  no answer; again \
in 5 s
2026-11-23T08:11:00Z  POST /api/v1/import/images              429     1 ms  quota reached
2026-11-23T08:11:00Z  job  9kk12b  ✗ failed as a whole
2026-11-23T08:11:00Z  workers pause for 30 s: the disk is full
"""


def test_the_banner() -> None:
    token = Secret("ldi_0123456789abcdefc41f")
    options = ServeOptions(Path("~/engine"), Path("project-config.json"), token=token)
    screen = terminal(80)
    served.banner(screen, "1.4.0", "http://127.0.0.1:9095/", ENGINE, options, str)
    assert shown(screen) == SCREEN
    screen = terminal(120)
    options = replace(options, job=JobOptions(("a.intern", "b.intern:8080")))
    served.banner(screen, "1.4.0", "", ENGINE, options, str)
    assert "only public addresses are fetched, and a.intern, b.intern:8080\n" in shown(screen)


def test_a_line_for_everything_that_happens() -> None:
    screen = pipe()
    for event in EVENTS:
        served.happened(screen, NOW, event)
    assert shown(screen) == LINES


def test_a_terminal_gets_local_times_and_arrows() -> None:
    screen = terminal(100)
    served.happened(screen, NOW, EVENTS[3])
    assert shown(screen)[8:] == "  hook 25bzj8j  → https://cms.example/hooks   204   81 ms\n"
    assert shown(screen)[2] == shown(screen)[5] == ":"


def test_a_notification_is_a_line() -> None:
    screen = pipe()
    hints = [
        JobHint("25bzj8j", "success", Counts(771, 0, 29)),
        JobHint("9kk12b", "lost"),
        JobHint("x\x1b[2J", "failed", Counts(failed=3), "key"),
    ]
    for n, hint in enumerate(hints):
        served.happened(screen, NOW, Notified(hint, again=n == 2))
    assert [line[22:] for line in shown(screen).splitlines()] == [
        "25bzj8j  success  771 ok, 29 failed",
        "9kk12b  lost",
        "x[2J  failed  3 failed   (again)",
    ]
    assert served.document(Notified(hints[1], again=False), NOW) == {
        "type": "notification", "format": 1, "job": "9kk12b", "state": "lost", "success": None,
        "skipped": None, "failed": None, "again": False, "batch": None,
        "at": "2026-11-23T08:11:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "names", "hint"),
    [
        (None, (), "none: nobody can send an image"),
        ("short", (), "******** from LDIMPORT_SERVE_TOKEN"),
        (None, ("a", "b", "c", "d", "e"), "a, b, c, 2 more"),
    ],
)
def test_tokens_are_hinted_at(text: str | None, names: tuple[str, ...], hint: str) -> None:
    assert served.token_hint(text and Secret(text), names) == hint


@pytest.mark.parametrize("command", ["serve", "listen"])
def test_without_the_extra_the_command_says_how_to_get_it(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in ("run", "listen"):
        monkeypatch.setitem(sys.modules, f"ldimport.server.{module}", None)
    places = ("--state", str(tmp_path / "s.db"), "--engine", str(tmp_path / "e"))
    assert main([command, "--port", "0", *places]) == ExitCode.CONFIG
    assert "pip install '.[server]'" in capsys.readouterr().err


# -- the command ---------------------------------------------------------------------------


class Paper:
    """In the place of ``ldimport.server.run.run``: tells, then ends as it was told to."""

    def __init__(self, end: BaseException, tokens: tuple[str, ...]) -> None:
        self.end = end
        self.engine = replace(ENGINE, tokens=tokens)
        self.options: ServeOptions | None = None

    def run(self, options: ServeOptions, on_event: OnEvent) -> None:
        self.options = options
        on_event(Listening("http://127.0.0.1:9095", 9095))
        on_event(self.engine)
        on_event(EVENTS[0])
        on_event(RequestAnswered("GET", "/api/v1/import/images/status", 200, 0.001))
        on_event(Stopped(1))
        raise self.end


@pytest.fixture
def serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Paper, int, str, str]]:
    """Run ``serve`` on paper: the server, exit code, standard output, standard error."""

    def run(*options: str, end: BaseException | None = None,
            tokens: tuple[str, ...] = ()) -> tuple[Paper, int, str, str]:  # fmt: skip
        paper = Paper(end or Terminated(), tokens)
        monkeypatch.setattr("ldimport.server.run.run", paper.run)
        code = main(["serve", "--engine", str(tmp_path / "engine"), *options])
        return (paper, code, *capsys.readouterr())

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LDIMPORT_SERVE_TOKEN", raising=False)
    return run


def test_without_any_token_it_says_so(serve: Callable[..., tuple[Paper, int, str, str]]) -> None:
    _, _, out, err = serve()
    assert "none: nobody can send an image" in out
    assert "there is no token" in err and "→ ldimport token create NAME" in err
    _, _, out, err = serve("--json")
    assert "there is no token" in err and "no token" not in out
    assert "there is no token" not in serve(tokens=("editor",))[3]


def test_the_token_of_the_run_is_never_shown_whole(
    serve: Callable[..., tuple[Paper, int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDIMPORT_SERVE_TOKEN", "0123456789abcdefghij")
    for options in ((), ("--json",), ("-vv",)):
        paper, _, out, err = serve(*options)
        assert paper.options is not None and paper.options.token is not None
        assert paper.options.token.reveal() == "0123456789abcdefghij"
        assert "0123456789abcdefghij" not in out + err
        assert "there is no token" not in err


@pytest.mark.parametrize(
    ("end", "code"), [(Terminated(), ExitCode.OK), (KeyboardInterrupt(), ExitCode.INTERRUPTED)]
)
def test_the_last_line_says_what_goes_on_later(
    serve: Callable[..., tuple[Paper, int, str, str]], end: BaseException, code: ExitCode
) -> None:
    _, ended, _, err = serve(end=end)
    assert (ended, err.splitlines()[-1]) == (code, "■ Stopped. 1 job goes on at the next start.")


def test_json_tells_all_of_it(serve: Callable[..., tuple[Paper, int, str, str]]) -> None:
    _, _, out, _ = serve("--json", tokens=("editor",))
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["listening", "engine", "request", "stopped",
                                                "summary"]  # fmt: skip
    assert lines[0] == {"type": "listening", "format": 1, "url": "http://127.0.0.1:9095",
                        "port": 9095}  # fmt: skip
    assert {key: lines[1][key] for key in lines[1] if key not in ("at", "format")} == {
        "type": "engine", "folder": "/data/engine", "mediaTypes": ["image", "archiveImage"],
        "images": 9_611, "bytes": 1_100_000_000, "tokens": ["editor"], "workers": 4,
        "dailyLimit": 0}  # fmt: skip
    assert (lines[2]["milliseconds"], lines[2]["path"]) == (31.2, IMPORT)


def test_every_event_is_a_document() -> None:
    kept = {"type", "id", "state", "images", "success", "skipped", "failed", "seconds"}
    assert {**served.document(EVENTS[2], NOW)}.keys() == {*kept, "format", "at"}
    hook = served.document(EVENTS[4], NOW)
    assert (hook["status"], hook["milliseconds"], hook["job"]) == (None, 9.0, "25bzj8j")
    paused = served.document(EVENTS[7], NOW)
    assert (paused["state"], paused["why"], paused["seconds"]) == ("paused", "the disk is full", 30)


def test_questions_for_a_state_are_told_on_request(
    serve: Callable[..., tuple[Paper, int, str, str]],
) -> None:
    for options, told in (((), 0), (("-v",), 1)):
        assert serve(*options)[3].count("/import/images/status") == told


def test_options_reach_the_server_as_they_were_given(
    serve: Callable[..., tuple[Paper, int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDIMPORT_WEBHOOK_SECRET", "one two")
    options = serve("--port", "0", "--dialect", "2025-03", "--workers", "0")[0].options
    assert options is not None and options.secrets == ("one", "two")
    assert (options.port, options.dialect, options.workers) == (0, Dialect.V2025_03, 0)
    paper, code, _, err = serve("--dialect", "2024-01")
    assert (paper.options, code) == (None, ExitCode.USAGE) and "seed, 2025-03, 2026-08" in err
