"""Those who listen to a run: JSON Lines, lines for a log, the live display, and the loop itself."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli_screens import ENDS, NOW, job, shown, summary, terminal

from ldimport.cli.interrupt import ends_in_order, on_signals, within
from ldimport.cli.options import read_seconds
from ldimport.cli.output import documents
from ldimport.cli.output.listeners import JsonLinesListener, LogLines, ReadingProgress, Stopping
from ldimport.cli.output.live import LiveDisplay
from ldimport.cli.output.stream import Stream
from ldimport.cli.output.text import cells
from ldimport.cli.output.throughput import Throughput
from ldimport.cli.runner import drive
from ldimport.errors import ExitCode, TemporaryError, Terminated, UsageError
from ldimport.migration.events import BatchSent, Event, JobEnded, Notice, OpenJob, Progress, Summary
from ldimport.migration.limits import FailureLimit
from ldimport.migration.model import Failure, Totals
from ldimport.model import Counts, JobState, Silence
from ldimport.settings import load

FAILURE = Failure("2003-04511", 17, "https://img.example/4511.jpg", "origin answered 503",
                  "origin-503", True, "25bzj8jq0x01")  # fmt: skip


class Clock:
    """Time that stands still until it is told to move."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        return self.time


def events() -> list[Event]:
    """One of each kind, in the order of a run."""
    return [
        Notice("unknown-columns", "column “Fotograf” is ignored"),
        BatchSent("25bzj8jq0x01", 800, 1, 800),
        Progress(37_660, 800, Counts(pending=800), 1),
        FAILURE,
        Progress(37_660, 34_400, Counts(22_000, 963, 33, 11_404), 15),
        JobEnded("25bzj8jq0x01", JobState.SUCCESS, Counts(771, 0, 29)),
        JobEnded("25bzj8jq0x02", JobState.LOST, Counts(pending=800)),
        ENDS["failures"](),
    ]


# -- JSON Lines ----------------------------------------------------------------------------


def json_lines(found: list[Event]) -> list[dict]:  # type: ignore[type-arg]
    stream = Stream(io.StringIO())
    start = documents.start("submit archive.csv", "1.0", NOW)
    lines = JsonLinesListener(stream, Clock(), {**start, "local": True})
    for event in found:
        lines(event)
    assert isinstance(stream.file, io.StringIO)
    return [json.loads(line) for line in stream.file.getvalue().splitlines()]


def test_each_event_is_one_line_and_the_last_one_is_the_summary() -> None:
    lines = json_lines(events())
    assert [line["type"] for line in lines] == [
        "start", "notice", "batch", "progress", "failure", "job", "job",
        "summary",
    ]  # fmt: skip
    assert lines[0]["format"] == lines[-1]["format"] == 1
    assert lines[0]["at"] == "2026-11-23T08:11:00Z"


def test_the_summary_has_the_promised_keys() -> None:
    end = json_lines([ENDS["quota"]()])[-1]
    assert {
        "type",
        "manifest",
        "target",
        "systemName",
        "plan",
        "jobs",
        "totals",
        "exitCode",
    } <= set(end)
    assert end["exitCode"] == 6 and end["stopped"]["code"] == "quota"
    assert end["jobs"][0]["images"] == {
        "total": 800, "success": 711, "skipped": 12, "failed": 77, "pending": 0,
    }  # fmt: skip
    totals = end["totals"]
    words = ("success", "skipped", "failed", "pending", "unsubmitted", "invalid")
    assert sum(totals[word] for word in words) == end["plan"]["entries"] == 1_204_113


def test_progress_adds_up() -> None:
    line = json_lines([Progress(37_660, 34_400, Counts(22_000, 963, 33, 11_404), 15)])[-1]
    outcomes = ("success", "skipped", "failed", "pending")
    assert sum(line[word] for word in outcomes) == line["sent"] == 34_400
    assert line["unsubmitted"] == 3_260


def test_progress_tells_speed_and_time_left() -> None:
    clock, stream = Clock(), Stream(io.StringIO())
    lines = JsonLinesListener(stream, clock, {})
    for n in range(31):
        clock.time = NOW + n
        lines(Progress(0, 0, Counts(success=10 * n, pending=600 - 10 * n), 2))
    assert isinstance(stream.file, io.StringIO)
    last = json.loads(stream.file.getvalue().splitlines()[-1])
    assert (last["perSecond"], last["secondsLeft"]) == (10.0, 30)


def test_progress_is_at_most_one_line_a_second() -> None:
    clock, stream = Clock(), Stream(io.StringIO())
    lines = JsonLinesListener(stream, clock, {})
    for n in range(100):
        clock.time = NOW + n / 10
        lines(Progress(100, n, Counts(success=n), 1))
    assert isinstance(stream.file, io.StringIO)
    assert len(stream.file.getvalue().splitlines()) == 11


# -- lines for a log -----------------------------------------------------------------------


def log(clock: Clock, **options: object) -> tuple[LogLines, io.StringIO]:
    file = io.StringIO()
    lines = LogLines(Stream(file), clock, **{"every": 60.0, **options})  # type: ignore[arg-type]
    return lines, file


def kinds(file: io.StringIO) -> list[str]:
    return [line.split()[1] for line in file.getvalue().splitlines()]


def test_progress_comes_after_ten_seconds_and_then_every_sixty() -> None:
    clock = Clock()
    lines, file = log(clock)
    for seconds in range(200):
        clock.time = NOW + seconds
        lines(Progress(1_000, seconds, Counts(success=seconds), 1))
    times = [line[14:20] for line in file.getvalue().splitlines()]
    assert times == ["11:10Z", "12:10Z", "13:10Z", "14:10Z"][: len(times)]
    assert len(times) == 4


def test_only_the_first_failure_of_a_cause_is_told() -> None:
    lines, file = log(Clock())
    for _ in range(50):
        lines(FAILURE)
    assert file.getvalue() == (
        '2026-11-23T08:11:00Z failed    first "origin answered 503": row 17, id 2003-04511, '
        "https://img.example/4511.jpg\n"
    )


def test_a_reason_without_end_is_cut() -> None:
    lines, file = log(Clock())
    lines(replace(FAILURE, reason="x" * 200_000))
    assert len(file.getvalue()) < 1_000
    assert FAILURE.external_id in file.getvalue()


def test_a_silent_server_is_one_line_and_not_one_for_each_try() -> None:
    clock = Clock()
    lines, file = log(clock)
    place = "https://edit.tagblatt.ch"
    late = Silence(place, f"{place} has not answered for 3 s", 1)
    for n in range(5):
        lines(replace(late, tries=n))
        lines(Silence(place, f"{place} did not answer: silent for 30 s", n, NOW + 40))
        clock.time += 40
    lines(Silence(place, f"{place} answers again", over=True))
    lines(Silence(place, f"{place} answers again", over=True))
    assert kinds(file) == ["silent", "silent", "answers"]
    said = file.getvalue().splitlines()
    assert said[1].endswith(f"silent for 30 s; next try {'2026-11-23T08:11:40Z'}")


def test_a_slow_server_is_told_of_once_a_minute() -> None:
    clock = Clock()
    lines, file = log(clock)
    for _ in range(30):  # five minutes of answers that take four seconds each
        lines(Silence("x", "x has not answered for 3 s", 1))
        lines(Silence("x", "x answers again", over=True))
        clock.time += 10
    assert kinds(file) == ["silent", "answers"] * 5


def test_a_silent_server_stands_in_the_log_file() -> None:
    found = json_lines([
        Silence("https://x", "https://x did not answer: connection refused", 2, NOW + 7),
        Silence("https://x", "https://x answers again", over=True),
    ])  # fmt: skip
    assert [line["type"] for line in found[1:]] == ["silence", "silence"]
    assert found[1]["why"].endswith("connection refused")
    assert (found[1]["nextTry"], found[2]["over"]) == ("2026-11-23T08:11:07Z", True)


def test_verbose_tells_each_failure_job_and_batch() -> None:
    lines, file = log(Clock(), verbose=1)
    for event in events():
        lines(event)
    lines(FAILURE)
    assert kinds(file) == [
        "note", "batch", "failed", "job", "job", "exit", "failed",
    ]  # fmt: skip


def test_a_job_that_failed_as_a_whole_is_always_told() -> None:
    lines, file = log(Clock())
    lines(JobEnded("a", JobState.SUCCESS, Counts(1)))
    lines(JobEnded("b", JobState.FAILED, Counts(failed=1)))
    assert kinds(file) == ["job"] and " b failed" in file.getvalue()


def test_the_last_line_says_how_it_ended() -> None:
    lines, file = log(Clock())
    lines(ENDS["quota"]())
    assert kinds(file) == ["quota", "exit"]
    assert "exit      6: quota reached" in file.getvalue()


@pytest.mark.parametrize(
    ("code", "words"),
    [(ExitCode.INTERRUPTED, "130: interrupted,"), (ExitCode.TERMINATED, "143: terminated,")],
)
def test_the_last_line_names_the_signal(code: ExitCode, words: str) -> None:
    lines, file = log(Clock())
    lines(replace(ENDS["interrupted"](), exit_code=code))
    assert f"exit      {words} state is safe" in file.getvalue()


def test_hostile_text_is_one_clean_line() -> None:
    lines, file = log(Clock(), verbose=1)
    evil = "a\x1b[2Jb\r\nfake line\u202e"
    lines(Failure(evil, 1, evil, evil, "x", True, "j"))
    assert len(file.getvalue().splitlines()) == 1
    assert "\x1b" not in file.getvalue() and "\u202e" not in file.getvalue()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no SIGUSR1 on this system")
def test_a_signal_asks_for_progress_at_once() -> None:
    lines, file = log(Clock())
    lines(Progress(10, 5, Counts(success=5), 1))
    with on_signals("SIGUSR1", call=lambda _: lines.progress()):
        os.kill(os.getpid(), signal.SIGUSR1)
    assert kinds(file) == ["progress"]


# -- the live display ----------------------------------------------------------------------


def few(n: int, state: Counts) -> tuple[OpenJob, ...]:
    return tuple(OpenJob(f"25bzj8{k}", state, NOW - 72) for k in range(n))


@pytest.mark.parametrize("width", [40, 80])
def test_watch_has_a_line_for_each_job_while_they_are_few(width: int) -> None:
    display = LiveDisplay(terminal(width), sends=False, now=Clock())
    display(Progress(0, 0, Counts(pending=1_600), 2, exact=False, jobs=few(2, Counts(pending=800))))
    lines = frame(display, width)
    assert lines[2].startswith("  25bzj80  … running  800 images") and len(lines) == 5
    half = Counts(500, 10, 2, 288)
    display(Progress(0, 0, half, 1, jobs=few(1, half)))
    head, _, line, *_ = frame(display, width)
    found = re.fullmatch(r"  25bzj80  … running  (━[━╸╺]* +)?512 / 800(  1 min 12 s)?", line)
    assert found and bool(found[1]) == bool(found[2]) == (width > 40), line
    assert ("✓ 500  · 10  ✗ 2" in head) is (width > 40)


def test_a_job_that_ended_with_failures_stays_on_the_screen_of_watch() -> None:
    display = LiveDisplay(terminal(80), sends=False)
    ended = JobEnded("25bzj80", JobState.SUCCESS, Counts(723, 0, 77))
    display(Progress(0, 0, Counts(pending=800), 1, jobs=few(1, Counts(pending=800))))
    display(ended)
    assert "✗ 25bzj80 done, 77 of 800 images failed" in shown(display.screen)
    display = LiveDisplay(terminal(80), sends=False)
    display(Progress(0, 0, Counts(pending=8_000), 10))
    display(ended)
    assert shown(display.screen) == "", "of many the causes are told"


def test_watch_has_many_jobs_by_their_state() -> None:
    display = LiveDisplay(terminal(80), sends=False)
    for n in range(572):
        display(JobEnded(f"job{n}", JobState.SUCCESS, Counts(1)))
    many = Progress(0, 0, Counts(572, pending=9_428), 9_428, exact=False, waiting=9_412)
    display(many)
    assert "  9,412 not asked yet · 16 running · 572 done" in frame(display, 80)
    display(replace(many, exact=True))
    assert "  9,412 waiting · 16 running · 572 done" in frame(display, 80)
    clock = Clock()
    lines, file = log(clock)
    lines(many)
    lines.progress()
    assert "jobs: 9,412 not asked yet · 16 running" in file.getvalue()


def frame(display: LiveDisplay, width: int) -> list[str]:
    screen = terminal(width)
    screen.block(*display.lines(width))
    return shown(screen).splitlines()


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100])
def test_no_line_of_a_frame_is_wider_than_the_terminal(width: int) -> None:
    display = LiveDisplay(terminal(width))
    for event in events()[:-1]:
        display(event)
        for line in frame(display, width):
            assert cells(line) <= width, line
            assert not re.search(r"[\d.,]…", line)


def test_two_bars_a_line_of_failures_and_how_to_stop() -> None:
    screen = terminal(100)
    display = LiveDisplay(screen)
    for event in events()[:6]:
        display(event)
    send, imported, failed, last = frame(display, 100)
    assert send.startswith("  Send    ━") and "34,400 / 37,660" in send
    assert imported.startswith("  Import  ━") and "15 jobs running · 1 done" in imported
    first = "first 2003-04511 (row 17)  https://img.example/4511.jpg"
    assert failed == f"  Failed  1 origin answered 503   {first}"
    assert "Ctrl-C stops safely" in last
    assert "503" not in shown(screen), "what is told in the frame is told once, and goes with it"


def test_failures_of_a_job_that_runs_are_counted_before_their_causes_are_known() -> None:
    display = LiveDisplay(terminal(100))
    display(Progress(90, 90, Counts(30, 0, 7, 53), 1))
    assert "1 job running · 7 failed" in frame(display, 100)[1]
    for _ in range(7):
        display(FAILURE)
    assert "7 failed" not in frame(display, 100)[1]
    assert "  Failed  7 origin answered 503" in frame(display, 100)[2]


def test_each_cause_is_told_once_while_running() -> None:
    display = LiveDisplay(terminal(100))
    display(Progress(90, 90, Counts(pending=90), 1))
    for n in range(30):
        status = 500 + n % 6
        display(replace(FAILURE, cause=f"origin-{status}", reason=f"it answered {status}"))
        display(FAILURE)
    told = [line for line in frame(display, 100) if "answered" in line]
    own = "the image server answered 503 instead of sending the image"
    assert told[0] == f"  Failed  35 {own}", "what all have in common, not one member's words"
    assert len(told) == 4
    assert "and 2 more kinds" in "\n".join(frame(display, 100))


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_silent_server_is_told_with_reason_and_next_try(width: int) -> None:
    clock = Clock()
    display = LiveDisplay(terminal(width), now=clock)
    display(Progress(90, 90, Counts(pending=90), 1))
    why = "https://edit.tagblatt.ch did not answer: connection refused"
    display(Silence("https://edit.tagblatt.ch", why, 3, NOW + 12))
    text = " ".join(line.strip() for line in frame(display, width))
    assert why in text and "next try in 12 s · 3 tries so far" in text
    clock.time += 12
    assert "trying again now" in "\n".join(frame(display, width))
    display(Silence("https://edit.tagblatt.ch", "answers again", over=True))
    assert "tagblatt" not in "\n".join(frame(display, width))


def test_asked_to_stop_it_says_so_in_the_last_line() -> None:
    display = LiveDisplay(terminal(80))
    display(Progress(10, 5, Counts(pending=5), 1))
    display(Stopping())
    assert frame(display, 80)[-1].startswith("  Stopping after what is under way.")


def test_while_checking_it_shows_how_far_it_is() -> None:
    reading = ReadingProgress(whole=400)
    display = LiveDisplay(terminal(80), reading)
    assert frame(display, 80)[0].startswith("  Ctrl-C")
    reading.tick(204)
    assert frame(display, 80)[0] == "  Checking · 51 %"


def test_time_left_only_after_ten_seconds() -> None:
    clock = Clock()
    pace = Throughput(clock)
    for seconds in range(1, 9):
        clock.time = NOW + seconds
        pace.add(10 * seconds)
    assert pace.left(100) == "" and round(pace.per_second) == 10
    for seconds in range(9, 100):
        clock.time = NOW + seconds
        pace.add(10 * seconds)
    assert pace.left(100) == "10 s left"
    assert pace.left(0) == ""
    clock.time += 40
    pace.add(990)
    assert pace.idle == 40


def test_an_estimate_counts_down_and_gives_up_when_it_was_wrong() -> None:
    clock = Clock()
    pace = Throughput(clock)
    for seconds in range(20):
        clock.time = NOW + seconds
        pace.add(10 * seconds)
    told = []
    for seconds in range(19, 60):
        clock.time = NOW + seconds
        told.append(pace.left(50))  # the last five seconds' worth hangs
    assert told[:5] == ["5 s left", "4 s left", "3 s left", "2 s left", "1 s left"]
    assert told.count("1 s left") <= 5 and set(told[8:]) == {"…"}


def test_where_nothing_is_known_of_the_pace_nothing_is_promised() -> None:
    clock = Clock()
    pace = Throughput(clock)
    pace.add(0)
    clock.time += 30
    assert pace.left(50) == "…"


def test_nothing_moving_is_said() -> None:
    clock = Clock()
    display = LiveDisplay(terminal(80), monotonic=clock)
    display(Progress(10, 5, Counts(pending=5), 1))
    clock.time += 42
    assert frame(display, 80)[-1] == "  no change for 42 s. Ctrl-C stops safely."


# -- the loop ------------------------------------------------------------------------------


def a_run(log: list[str]) -> Iterator[Event]:
    try:
        for n in range(1_000):
            yield Progress(1_000, n, Counts(success=n), 1)
    except KeyboardInterrupt as stop:
        log.append(type(stop).__name__)
        yield summary(Totals(success=1), code=ExitCode.INTERRUPTED, jobs=(job(1),), stopped=stop)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_an_interrupt_while_showing_ends_the_run_in_order(
    kind: type[KeyboardInterrupt],
) -> None:
    seen: list[Event] = []
    told: list[str] = []

    def handle(event: Event) -> None:
        seen.append(event)
        if len(seen) == 3:
            raise kind

    end = drive(a_run(told), handle)
    assert told == [kind.__name__]
    assert isinstance(end, Summary) and end.exit_code is ExitCode.INTERRUPTED
    assert seen[-1] is end and len(seen) == 4


def test_the_first_signal_is_told_at_once_and_raises() -> None:
    told: list[str] = []
    for number, kind in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)):
        before = signal.getsignal(number)
        with pytest.raises(kind), ends_in_order(lambda: told.append("told")):
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is before
    assert told == ["told", "told"]


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), list[bool]()

    def elsewhere() -> None:
        with on_signals("SIGTERM", call=lambda _: None) as ours:
            seen.append(ours or signal.getsignal(signal.SIGTERM) is not before)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [False]
    with on_signals("SIGNOSUCH", call=lambda _: None) as ours:
        assert not ours


def test_the_second_signal_leaves_at_once() -> None:
    script = (
        "import os, signal\n"
        "from ldimport.cli.interrupt import ends_in_order\n"
        "with ends_in_order(lambda: None):\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "    finally:\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "        print('never')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_question_to_the_target_has_its_time() -> None:
    def late() -> TemporaryError:
        return TemporaryError("too slow")

    with pytest.raises(TemporaryError, match="too slow"), within(0.01, late):
        signal.pause()
    with within(5, late):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


# -- options -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1_800), ("30 min", 1_800), ("2h", 7_200), ("1d", 86_400),
     ("1.5h", 5_400)],
)  # fmt: skip
def test_spans(text: str, seconds: float) -> None:
    assert read_seconds("--deadline", text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "5 weeks", "h", "1e3"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_seconds("--deadline", text)


@pytest.mark.parametrize(
    ("text", "failed", "tried", "stops"),
    [("any", 0, 500, False), ("any", 1, 1, True), ("5", 4, 9, False), ("5", 5, 9, True),
     ("5%", 3, 10, False), ("5%", 5, 100, False), ("5%", 6, 100, True), ("0.5%", 2, 100, True)],
)  # fmt: skip
def test_failure_limits(text: str, failed: int, tried: int, stops: bool) -> None:
    assert FailureLimit.of(text).reached(failed, tried) is stops


@pytest.mark.parametrize("text", ["some", "-1", "101%", "5%%", "²", "1e3"])
def test_what_is_no_limit_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="any, a number of images, or a share"):
        load({"max_failures": text}, environ={}, cwd=tmp_path, home=tmp_path)
