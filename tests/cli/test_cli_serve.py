"""The screen of ``serve``, driven by a server of paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cli_screens import NOW, pipe, shown, terminal

from ldimport.cli import main
from ldimport.cli.output import served
from ldimport.cli.serving import Serving
from ldimport.errors import ExitCode, Terminated

ABOUT = {
    "folder": "/data/engine",
    "mediaTypes": ["image", "archiveImage"],
    "images": 9_611,
    "bytes": 1_100_000_000,
    "tokens": ["editor"],
    "workers": 4,
    "dailyLimit": 0,
}
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("request", {"method": "POST", "path": "/api/v1/import/images", "status": 200,
                 "milliseconds": 31.2, "note": "job 25bzj8j, 800 images"}),
    ("job", {"id": "25bzj8j", "state": "started", "images": 800, "success": 0, "skipped": 0,
             "failed": 0, "seconds": 0.0}),
    ("job", {"id": "25bzj8j", "state": "success", "images": 800, "success": 771, "skipped": 0,
             "failed": 29, "seconds": 43.1}),
    ("webhook", {"job": "25bzj8j", "url": "https://cms.example/hooks", "status": 204,
                 "milliseconds": 81.0, "note": ""}),
    ("webhook", {"job": "25bzj8j", "url": "https://cms.example/hooks", "status": None,
                 "milliseconds": 9.0, "note": "no answer; again in 5 s"}),
    ("request", {"method": "POST", "path": "/api/v1/import/images", "status": 429,
                 "milliseconds": 1.0, "note": "quota reached"}),
    ("job", {"id": "9kk12b", "state": "failed", "images": 3, "success": 0, "skipped": 0,
             "failed": 3, "seconds": 1.0}),
    ("workers", {"state": "paused", "why": "the disk is full", "seconds": 30.0}),
]  # fmt: skip

SCREEN = """\
ldimport 1.4.0  local import engine   Ctrl-C stops; nothing is lost

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
    screen = terminal(80)
    token = served.token_hint("ldi_0123456789abcdefc41f", ["editor"])
    served.banner(screen, "1.4.0", "http://127.0.0.1:9095/", token, "project-config.json",
                  {**ABOUT, "place": "~/engine"}, "only public addresses are fetched")  # fmt: skip
    assert shown(screen) == SCREEN


def test_a_line_for_everything_that_happens() -> None:
    screen = pipe()
    for kind, facts in EVENTS:
        served.happened(screen, NOW, kind, facts)
    assert shown(screen) == LINES


def test_a_terminal_gets_local_times_and_arrows() -> None:
    screen = terminal(100)
    served.happened(screen, NOW, *EVENTS[3])
    assert shown(screen)[8:] == "  hook 25bzj8j  → https://cms.example/hooks   204   81 ms\n"
    assert shown(screen)[2] == shown(screen)[5] == ":"


@pytest.mark.parametrize(
    ("text", "names", "hint"),
    [
        (None, [], "none: nobody can send an image"),
        ("short", [], "******** from LDIMPORT_SERVE_TOKEN"),
        (None, ["a", "b", "c", "d", "e"], "a, b, c, 2 more"),
    ],
)
def test_tokens_are_hinted_at(text: str | None, names: list[str], hint: str) -> None:
    assert served.token_hint(text, names) == hint


# -- the command ---------------------------------------------------------------------------


class Paper:
    """In the place of ``ldimport.server.run``: tells, then ends as it was told to."""

    def __init__(self, end: BaseException, tokens: list[str]) -> None:
        self.end = end
        self.about = {**ABOUT, "tokens": tokens}
        self.serving: Serving | None = None

    def run(self, serving: Serving, told: Callable[[str, Mapping[str, Any]], None]) -> None:
        self.serving = serving
        told("listening", {"url": "http://127.0.0.1:9095", "port": 9095})
        told("engine", self.about)
        told(*EVENTS[0])
        told("stopped", {"openJobs": 1})
        raise self.end


@pytest.fixture
def serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Paper, int, str, str]]:
    """Run ``serve`` on paper: the server, exit code, standard output, standard error."""

    def run(*options: str, end: BaseException | None = None,
            tokens: list[str] | None = None) -> tuple[Paper, int, str, str]:  # fmt: skip
        paper = Paper(end or Terminated(), tokens or [])
        monkeypatch.setattr("ldimport.cli.serving.import_module", lambda _: paper)
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
    assert "there is no token" not in serve(tokens=["editor"])[3]


def test_the_token_of_the_run_is_never_shown_whole(
    serve: Callable[..., tuple[Paper, int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDIMPORT_SERVE_TOKEN", "0123456789abcdefghij")
    for options in ((), ("--json",), ("-vv",)):
        paper, _, out, err = serve(*options)
        assert paper.serving is not None and paper.serving.token == "0123456789abcdefghij"
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
    _, _, out, _ = serve("--json", tokens=["editor"])
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["listening", "engine", "request", "stopped",
                                                "summary"]  # fmt: skip
    assert lines[0] == {"type": "listening", "format": 1, "url": "http://127.0.0.1:9095",
                        "port": 9095}  # fmt: skip
    assert (lines[1]["images"], lines[1]["tokens"]) == (9_611, ["editor"])


def test_questions_for_a_state_are_told_on_request(
    serve: Callable[..., tuple[Paper, int, str, str]],
) -> None:
    for options, polls in (((), False), (("-v",), True)):
        paper = serve(*options)[0]
        assert paper.serving is not None and paper.serving.polls is polls
