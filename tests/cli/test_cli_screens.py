"""Golden screens at several widths, and the rules that hold for all of them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli_screens import CAUSES, ENDS, FAILED, NOW, job, pipe, plan, result, shown, terminal
from hostile_strings import ALL, CONTROLS

from ldimport.cli.output import github, outcomes, summary
from ldimport.cli.output.screen import WINDOW, Screen, TableColumn, bar, table
from ldimport.cli.output.stream import look_at
from ldimport.cli.output.text import cells
from ldimport.errors import ConfigError, ExitCode, LockedError
from ldimport.migration.model import ArchiveSums, AtWork, CauseRow, Overview, ResultRow, Totals
from ldimport.model import Counts, JobState, Status

WIDTHS = (60, 80, 100)
RUN = summary.RunFacts("submit archive.csv", local=False, now=NOW)

OVERVIEW = Overview(
    jobs=(
        job(4, JobState.STARTED, Counts(pending=800)),
        job(3, counts=Counts(success=800)),
        job(2),
        job(1, JobState.LOST, Counts(pending=800)),
    ),
    totals=Totals(success=612_252, skipped=24_403, failed=77, pending=800, unsubmitted=566_581),
    scopes=(
        ArchiveSums("https://x", "edit.tagblatt.ch", "archiv",
              Totals(612_252, 24_403, 77, 800, 566_581)),
    ),
    last_change=NOW - 240,
    in_all=4,
    under_way={"https://x": 1},
)  # fmt: skip

SCREENS: dict[str, Callable[[Screen], None]] = {
    **{name: (lambda screen, make=make: summary.show(screen, make(), RUN))  # type: ignore[misc]
       for name, make in ENDS.items()},
    "status": lambda screen: outcomes.overview(screen, OVERVIEW, NOW, None),
    "status-job": lambda screen: outcomes.job_head(screen, job(2), NOW),
    "results": lambda screen: outcomes.outcomes(screen, [result(1), FAILED]),
    "failures": lambda screen: outcomes.failures(screen, [FAILED]),
    "locked": lambda screen: screen.error(
        LockedError(
            "another ldimport is at work with this state file",
            hint="ldimport watch   follows that run, without the lock",
            facts={"who": "process 4711 on migr-01, running “submit archive.csv”",
                   "fix": "let it finish, or stop it: kill 4711 is safe"},
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCREENS)
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(name: str, width: int) -> None:
    screen = terminal(width)
    SCREENS[name](screen)
    lines = shown(screen).splitlines()
    assert lines
    for line in lines:
        assert cells(line) <= width, line
        assert not re.search(r"[\d.,]…", line), line
        assert line == line.rstrip()


@pytest.mark.parametrize("name", SCREENS)
def test_nothing_is_cut_or_wrapped_where_no_terminal_is(name: str) -> None:
    screen = pipe()
    SCREENS[name](screen)
    text = shown(screen)
    assert "\x1b" not in text and "\r" not in text
    assert "…" not in text.replace("… in progress", "").replace("… running", "")


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_counts_shown_add_up_to_the_rows(name: str, width: int) -> None:
    screen = terminal(width)
    summary.show(screen, ENDS[name](), RUN)
    found = re.findall(r"^  (\S) [a-z ]+?  +([\d,]+)(?:  |$)", shown(screen), re.MULTILINE)
    rows = re.search(r"^    rows  +([\d,]+)$", shown(screen), re.MULTILINE)
    if rows is None:
        assert name == "nothing"
        return
    numbers = [int(number.replace(",", "")) for _, number in found]
    assert sum(numbers) == int(rows[1].replace(",", ""))


def test_a_finished_run_with_failures_on_80_columns() -> None:
    screen = terminal(80)
    summary.show(screen, ENDS["failures"](), RUN)
    assert shown(screen) == (
        "archive.csv → tagblatt · systemName archiv\n"
        "\n"
        "  ✓ imported   9,611\n"
        "  · skipped      312  already exists\n"
        "  ✗ failed        77\n"
        "    rows      10,000\n"
        "\n"
        "FAILED  REASON                   TRY AGAIN?  EXAMPLES\n"
        "    61  origin answered 503      yes         2003-04511 (row 17) …\n"
        "    12  not an image: text/html  no          1998-00310 (row 4,120) …\n"
        "     4  over 24,000,000 pixels   no          2011-panorama-3 (row 9,001)\n"
        "\n"
        "✗ finished, 77 of 10,000 images failed   2 jobs · 4 min 12 s\n"
        "\n"
        "→ ldimport results --failed   every failure with row, id, url and reason\n"
        "→ ldimport retry              send failed images again; 61 may work\n"
    )


@pytest.mark.parametrize("local", [True, False])
def test_the_way_out_for_private_addresses_is_shown(local: bool) -> None:
    refused = (CauseRow("address-not-allowed", "a private network", 1, False, (("a", 1),)),)
    end = replace(ENDS["failures"](), causes=refused)
    screen = terminal(80)
    summary.show(screen, end, replace(RUN, local=local))
    assert ("→ ldimport retry --allow-host HOST[:PORT]" in shown(screen)) is local


def test_all_good_on_60_columns() -> None:
    screen = terminal(60)
    summary.show(screen, ENDS["all-good"](), RUN)
    assert "✓ 10,000 of 10,000 images arrived   1 job · 4 min 12 s" in shown(screen)
    assert "✗ failed         0" in shown(screen)


def test_nothing_to_send_is_one_sentence() -> None:
    screen = terminal(100)
    summary.show(screen, ENDS["nothing"](), RUN)
    assert "✓ Nothing to send: all 10,000 entries are in tagblatt, unchanged" in shown(screen)


def test_an_interrupted_run_says_what_goes_on_and_how() -> None:
    screen = terminal(80)
    summary.show(screen, ENDS["interrupted"](), summary.RunFacts("submit a.csv", True, NOW))
    text = shown(screen)
    assert "■ Interrupted: 800 of 10,000 sent, all recorded" in text
    assert "The rest waits in the local engine. Nobody is at work on it now." in text
    assert "→ ldimport submit a.csv" in text
    assert "→ ldimport watch" in text


def test_with_a_limit_the_sums_are_about_what_it_let_through() -> None:
    screen = terminal(100)
    end = replace(
        ENDS["all-good"](), totals=Totals(success=20, unsubmitted=9_980), own=Totals(success=20),
        plan=plan(limit=20),
    )  # fmt: skip
    summary.show(screen, end, RUN)
    text = shown(screen)
    assert re.search(r"images +20$", text, re.MULTILINE) and "9,980 rows left" in text
    assert "✓ 20 of 20 images arrived" in text and "not sent yet" not in text


def test_images_that_arrived_with_a_note_are_one_line_for_each_kind() -> None:
    screen = terminal(80)
    end = replace(ENDS["all-good"](), notes={"unpacked": 3, "damaged-chunk": 41, "odd": 1})
    summary.show(screen, end, RUN)
    notes = [line for line in shown(screen).splitlines() if line.startswith("! ")]
    assert [line.split(" with")[0] for line in notes] == [
        "! 41 images imported", "! 3 images imported", "! 1 image imported",
    ]  # fmt: skip
    assert "(damaged-chunk)" in shown(screen)


def test_what_earlier_runs_sent_is_counted_among_the_rows_to_send() -> None:
    screen = terminal(80)
    end = replace(ENDS["interrupted"](), plan=plan(new=0, in_progress=800))
    summary.show(screen, end, summary.RunFacts("submit a.csv", True, NOW))
    assert "■ Interrupted: 800 of 800 sent" in shown(screen)


def test_a_quota_names_a_clock_time_here_and_utc_in_a_log() -> None:
    on_screen, in_log = terminal(80), pipe()
    for screen in (on_screen, in_log):
        summary.show(screen, ENDS["quota"](), RUN)
    when = r"Room for 12,340 more from tomorrow \d\d:\d\d \(in 21 h 3 min\)"
    assert re.search(when, shown(on_screen))
    assert "Room for 12,340 more from 2026-11-24T05:14:00Z." in shown(in_log)


def test_a_command_to_copy_is_never_wrapped() -> None:
    long = "ldimport submit 'a folder/with a rather long name of a manifest from 1998.csv'"
    screen = terminal(40)
    screen.hints([(long, "goes on where it stopped")])
    lines = shown(screen).splitlines()
    assert f"→ {long}" in lines
    assert "    goes on where it stopped" in lines


def test_status_counts_and_jobs_on_80_columns() -> None:
    screen = terminal(80)
    outcomes.overview(screen, OVERVIEW, NOW, 3)
    text = shown(screen)
    assert re.search(r"✗ failed +77 +<0\.1 %", text)
    assert re.search(r"✓ imported +612,252 +50\.8 % +━+", text)
    assert re.search(r"25bzj8jq0x04  … running +800", text)
    assert "25bzj8jq0x01" not in text
    assert "3 of 4 jobs · -n 0 shows all" in text


def test_status_in_a_mail_names_what_it_counts_and_ends_in_utc() -> None:
    screen = pipe()
    outcomes.lines(screen.stream, OVERVIEW, NOW, None)
    text = shown(screen).splitlines()
    for line in ("target: edit.tagblatt.ch", "systemName: archiv", "images: 1,204,113",
                 "imported: 612,252", "failed: 77", "in progress: 800", "not sent yet: 566,581",
                 "last change: 2026-11-23T08:07:00Z"):  # fmt: skip
        assert line in text
    assert not [line for line in text if "\t" in line]
    head, first, good, bad, lost = text[-5:]
    assert head.split() == ["JOB", "STATE", "IMAGES", "OK", "SKIPPED", "FAILED", "SENT", "TOOK"]
    assert first.split()[:5] == ["25bzj8jq0x04", "…", "running", "800", "2026-11-23T08:01:04Z"]
    assert good.split()[1:7] == ["✓", "done", "800", "800", "0", "0"]
    assert "✗ done, 77 failed" in bad
    assert "✗ lost" in lost


@pytest.mark.parametrize(
    ("at_work", "words"),
    [
        (AtWork("process 7 on migr-01, running “submit a.csv”"), ["at work now: process 7"]),
        (AtWork(), ["nobody is at work now: 1 job waits in the local engine",
                    "1 job goes on at edit.tagblatt.ch; nobody follows it here"]),
        (AtWork(workers=True), ["at work now: workers of the local engine",
                                "1 job goes on at edit.tagblatt.ch; nobody follows it here"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [pipe, lambda: terminal(100)])
def test_status_says_who_is_at_work(
    at_work: AtWork, words: list[str], make: Callable[[], Screen]
) -> None:
    local = replace(job(5, JobState.STARTED, Counts(3, 0, 1, 796)), target="embedded:1")
    there = replace(job(4, JobState.STARTED, Counts(pending=800)), target="https://x")
    going = {"embedded:1": 1, "https://x": 1}
    found = replace(OVERVIEW, jobs=(local, there), at_work=at_work, under_way=going)
    screen = make()
    if screen.stream.tty:
        outcomes.overview(screen, found, NOW, None)
    else:
        outcomes.lines(screen.stream, found, NOW, None)
    text = shown(screen)
    for each in words:
        assert each in text
    assert ("nobody" in text) == (at_work.run is None)
    assert ("… waits" in text) == (at_work == AtWork()), "it does not run where nobody works"
    nothing = replace(OVERVIEW, jobs=OVERVIEW.jobs[1:], at_work=at_work, under_way={})
    screen = pipe()
    outcomes.lines(screen.stream, nothing, NOW, None)
    assert "at work" not in shown(screen), "where all has ended nobody need be"


@pytest.mark.parametrize("width", range(24, 121, 8))
def test_a_table_keeps_numbers_and_ids_whole_at_any_width(width: int) -> None:
    screen = terminal(width)
    columns = (
        TableColumn("ROWS", right=True),
        TableColumn("ID"),
        TableColumn("WHY", shrink=True),
        TableColumn("WHERE", shrink=True, drop=1),
    )
    rows = [
        ("7,990", "2003-04511", "a reason of some length 12,345", "https://img.example/451123.jpg"),
        ("1", "x", "短い理由ですがとても長い" * 3, ("1998-00310 (row 4,120)", "b (row 2)")),
    ]
    table(screen, columns, rows)
    text = shown(screen)
    assert "7,990" in text and "2003-04511" in text
    assert not re.search(r"[\d.,]…", text)
    if width >= 40:
        assert all(cells(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", [60, 80, 140])
def test_one_long_id_spoils_its_own_row_alone(width: int) -> None:
    long = "f" * 127
    rows = [FAILED._replace(external_id=each) for each in ("写真-0001", long, "2003-04511")]
    for show in (outcomes.outcomes, outcomes.failures):
        screen = terminal(width)
        show(screen, rows)
        lines = shown(screen).splitlines()
        assert [each for each in lines if cells(each) > width] == [lines[2]]
        assert long in lines[2] and "503" in lines[1] and "503" in lines[3]


def test_the_last_column_that_may_shrink_does_so_first() -> None:
    columns = (TableColumn("WHY", shrink=True), TableColumn("EXAMPLES", shrink=True, drop=1))
    rows = [("a reason that is told whole", ("id-1 (row 17)", "id-2 (row 39)"))]
    for width, shown_of_it in ((60, "id-2 (row 39)"), (50, "id-1 (row 17) …")):
        screen = terminal(width)
        table(screen, columns, rows)
        assert "a reason that is told whole" in shown(screen) and shown_of_it in shown(screen)
    screen = terminal(40)
    table(screen, columns, rows)
    assert "a reason that" in shown(screen) and "id-1 (row 17)" in shown(screen)
    screen = terminal(24)
    table(screen, columns, rows)
    assert "EXAMPLES" not in shown(screen), "the last resort: a column less"


def test_items_of_a_cell_are_shown_whole_or_not_at_all() -> None:
    screen = terminal(40)
    table(
        screen,
        (TableColumn("EXAMPLES", shrink=True),),
        [(("id-1 (row 17)", "id-2 (row 39)", "c" * 30),)],
    )
    assert "id-1 (row 17) · id-2 (row 39) …" in shown(screen)


@pytest.mark.parametrize("columns", [80, 100, 140, 160, 220])
def test_a_screen_uses_the_terminal_up_to_160_columns(columns: int) -> None:
    assert terminal(columns).width == min(columns, 160)


def test_a_long_table_is_written_as_its_rows_come(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def rows() -> Iterator[ResultRow]:
        nonlocal read
        for read in range(1, 3 * WINDOW):
            yield result(read, external_id=f"id-{read:05}")

    screen = terminal(100)
    written: list[int] = []
    monkeypatch.setattr(screen, "lines", lambda texts: written.extend([read] * len([*texts])))
    outcomes.outcomes(screen, rows())
    assert len(written) == 3 * WINDOW - 1
    assert written[0] == WINDOW and written[WINDOW] == 2 * WINDOW


@pytest.mark.parametrize("width", [80, 100, 140])
def test_failures_show_the_end_of_the_address(width: int) -> None:
    url = "https://img.tagblatt.ch/2003/archiv/region/ostschweiz/2003-04511-rheinfall.jpg"
    screen = terminal(width)
    outcomes.failures(screen, [FAILED._replace(source_url=url)])
    assert "rheinfall.jpg" in shown(screen) and "http" in shown(screen)
    screen = terminal(width)
    outcomes.of_run(screen, [FAILED._replace(source_url=url)])
    text = shown(screen)
    assert "rheinfall.jpg" in text and "(row 2)" in text
    assert "503" not in text, "the cause stands in its own table, once"


def test_signs_have_words_where_the_stream_cannot_encode_them() -> None:
    screen = terminal(80, unicode=False)
    summary.show(screen, ENDS["failures"](), RUN)
    text = shown(screen)
    text.encode("ascii")
    assert "ok imported" in text and "-> ldimport retry" in text


def test_an_error_says_what_where_and_how_to_go_on() -> None:
    screen = terminal(80)
    SCREENS["locked"](screen)
    assert shown(screen) == (
        "✗ another ldimport is at work with this state file\n"
        "\n"
        "  who  process 4711 on migr-01, running “submit archive.csv”\n"
        "  fix  let it finish, or stop it: kill 4711 is safe\n"
        "\n"
        "→ ldimport watch   follows that run, without the lock\n"
    )


def test_a_bar_is_empty_below_one_percent_and_full_only_at_the_end() -> None:
    def filled(done: int, whole: int) -> str:
        screen = terminal(80)
        screen.block(bar(done, whole, 30))
        return shown(screen).strip()

    assert filled(9, 1_000) == ""
    assert filled(10, 1_000) == "╸"
    assert filled(999, 1_000) == "━" * 29 + "╸"
    assert filled(1_000, 1_000) == "━" * 30
    assert filled(5, 0).strip() == ""


# -- hostile text in every sink ------------------------------------------------------------

HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def sinks(screen: Screen, text: str) -> None:
    bad: ResultRow = result(
        external_id=text, status=Status.FAILED, reason=text, source_url=text, media_id=text
    )
    outcomes.outcomes(screen, [bad])
    outcomes.failures(screen, [bad])
    summary.causes(screen, [CAUSES[0].__class__(text, text, 3, True, ((text, 1),))])
    screen.error(ConfigError(text, hint=text, facts={"where": text}))
    screen.error(ConfigError(text, hint=f"ldimport {text}   {text}"))
    screen.counts([("✓", "imported", 1, text)], ("rows", 1))


@pytest.mark.parametrize("screen", [terminal(60), terminal(100, unicode=False), pipe()])
def test_terminal_escapes_reach_no_screen(screen: Screen) -> None:
    for text in CONTROLS:
        sinks(screen, text)
    assert not HARMFUL.search(shown(screen))


def test_brackets_are_text_and_not_markup() -> None:
    screen = terminal(80)
    sinks(screen, "[bold red]x[/] [link=http://x]y[/nothing]")
    assert "[bold red]x[/] [link=http://x]y[/nothing]" in shown(screen)


def test_scripts_get_the_text_exactly_as_it_is() -> None:
    for text in ALL:
        file = io.StringIO()
        outcomes.write_json_lines(file, [result(external_id=text)])
        line = file.getvalue().removesuffix("\n")
        assert json.loads(line)["externalId"] == text
        assert not re.search("[\x00-\x1f\x7f-\x9f]", line)


# -- what we find out about a stream -------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "colour", "live"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, False, True),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({"CI": "true"}, True, False),
        ({"FORCE_COLOR": "0"}, True, True),
    ],
)
def test_terminals(environ: dict[str, str], colour: bool, live: bool) -> None:
    stream = look_at(Terminal(), environ)
    assert (stream.tty, stream.colour, stream.live) == (True, colour, live)


@pytest.mark.parametrize(
    ("environ", "colour"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "0"}, False),
     ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({"CLICOLOR_FORCE": "1"}, True)],
)  # fmt: skip
def test_nothing_moves_in_a_pipe_whatever_the_environment_says(
    environ: dict[str, str], colour: bool
) -> None:
    stream = look_at(io.StringIO(), environ)
    assert (stream.tty, stream.colour, stream.live, stream.width) == (False, colour, False, None)


def test_colour_in_a_pipe_only_when_forced() -> None:
    stream = look_at(io.StringIO(), {"FORCE_COLOR": "1"})
    summary.show(Screen(stream), ENDS["failures"](), RUN)
    assert isinstance(stream.file, io.StringIO)
    text = stream.file.getvalue()
    assert "\x1b[" in text
    assert not re.search("\x1b\\[(?!\\d*(;\\d+)*m)", text), "only colours, no movement"
    assert "\r" not in text


def test_an_eight_bit_stream_gets_no_signs() -> None:
    class Latin(Terminal):
        encoding = "iso-8859-1"

    stream = look_at(Latin(), {})
    assert not stream.unicode and not stream.live


# -- GitHub Actions ------------------------------------------------------------------------


def test_a_workflow_command_cannot_be_broken_out_of() -> None:
    evil = "50 %\n::error::x,y:z\r"
    line = github.command("error", {"file": "a,b:c.csv", "title": evil}, evil)
    assert "\n" not in line and "\r" not in line
    assert line == (
        "::error file=a%2Cb%3Ac.csv,title=50 %25%0A%3A%3Aerror%3A%3Ax%2Cy%3Az%0D"
        "::50 %25%0A::error::x,y:z%0D"
    )


def test_the_step_summary_counts_every_row_and_holds_no_markup(tmp_path: Path) -> None:
    end = summary.Summary(
        ENDS["failures"]().plan, (), Totals(success=1, failed=2), 1.0, ExitCode.FAILURES,
        (CAUSES[0].__class__("x", "<img src=x> | [y](z)", 2, True, ()),),
    )  # fmt: skip
    path = tmp_path / "summary.md"
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path)}
    github.append_summary(environ, github.run_summary(end))
    text = path.read_text()
    assert "| imported | 1 |" in text and "| **all** | 3 |" in text
    assert "&lt;img src=x&gt; \\| \\[y\\](z)" in text
    github.append_summary({"GITHUB_STEP_SUMMARY": str(path)}, "outside of Actions")
    assert path.read_text() == text


def test_a_command_is_proposed_once() -> None:
    run = summary.RunFacts("watch", local=False, now=NOW)
    commands = [command for command, _ in summary.next_steps(ENDS["interrupted"](), run)]
    assert commands.count("ldimport watch") == 1 and len(commands) == len(set(commands))
