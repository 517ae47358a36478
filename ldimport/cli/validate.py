"""``ldimport validate``: check a manifest against the project config; nothing is sent."""

import time

from ldimport.cli.command import Command
from ldimport.cli.options import ReadingOptions
from ldimport.cli.output import check, documents, github
from ldimport.cli.output.listeners import ReadingProgress
from ldimport.cli.output.live import checking
from ldimport.cli.output.screen import Hint
from ldimport.cli.session import Session
from ldimport.errors import ExitCode
from ldimport.manifest.manifest import STDIN
from ldimport.migration import Source
from ldimport.migration.model import ArchiveName
from ldimport.migration.reports.files import Files, Reports
from ldimport.migration.validate import Validation
from ldimport.migration.validate import validate as check_all
from ldimport.wording import counted

MOST_PROBLEMS = 1_000


def validate(
    session: Session,
    files: Files,
    warnings: bool = False,
    kinds: bool = False,
    max_problems: int = MOST_PROBLEMS,
    no_annotations: bool = False,
    *,
    reading: ReadingOptions,
) -> ExitCode:
    """Check a manifest against the project config. Nothing is sent."""
    with session.source(session.project_config(), reading, named=False) as source:
        session.ran = ArchiveName(system_name=source.manifest.header.system_name)
        began = time.monotonic()
        found = _check(session, source, files, max_problems)
        seconds = time.monotonic() - began
        if session.options.json:
            session.document(documents.validation(found, source.manifest, max_problems))
        else:
            _show(session, source, found, seconds, check.Wanted(warnings, kinds))
    if session.chatty:
        for path in files.given().values():
            session.notes.say("✓", f"wrote {path}")
    if github.active(session.environ) and not no_annotations:
        stream = session.err if session.options.json else session.out
        for line in github.commands(found):
            stream.file.write(f"{line}\n")  # not as a line for people
        github.append_summary(session.environ, github.summary(found, source.manifest.name))
    return ExitCode.INVALID if found.invalid else ExitCode.OK


def _check(session: Session, source: Source, files: Files, max_problems: int) -> Validation:
    """Every row checked, and the files written that were asked for."""
    progress = ReadingProgress(source.manifest.bytes_total)
    with Reports(source.manifest, files) as reports, checking(session.notes, progress):
        found = check_all(
            source.manifest,
            source.checker(),
            max_problems=max(max_problems, MOST_PROBLEMS),
            on_progress=progress.tick,
            sink=reports.sink,
        )
        reports.finish(found)
    return found


def _show(
    session: Session, source: Source, found: Validation, seconds: float, wanted: check.Wanted
) -> None:
    screen = session.screen
    if not (screen.stream.tty or session.options.quiet):
        for line in check.how_read(source.manifest):
            session.notes.line(line)
    check.notices(session.notes, found)
    if found.kinds:
        check.show(screen, source, found, wanted)
    elif screen.stream.tty:
        check.head(screen, source)
    check.verdict(screen, found, seconds)
    screen.hints(_hints(session, found))


def _hints(session: Session, found: Validation) -> list[Hint]:
    again = STDIN not in session.paths  # what came that way is gone
    if not found.invalid:
        return [(session.same_manifest("plan"), "what a submit would send")] if again else []
    worst = max(found.kinds, key=lambda kind: (kind.severity == "error", kind.rows))
    explain = session.next_command("explain", worst.code)
    hints = [(explain, "what the check means, and how to fix it")]
    if again and sum(kind.rows for kind in found.kinds) > check.MOST_WITH_CARET:
        every = session.same_manifest("validate", "--problems", "problems.csv")
        hints.append((every, "all of them, with row and hint"))
    if again and found.valid:
        send = session.same_manifest("submit", "--valid-only")
        hints.append((send, f"send the {counted(found.valid, 'good row')}"))
    return hints


COMMAND = Command(
    validate,
    (
        "ldimport validate archive.csv",
        "ldimport validate archive.csv --map url=Bild-URL --set credit=Archiv",
        "ldimport validate archive.csv --problems all.csv --write-invalid to-fix.csv",
    ),
    {
        0: "every row is valid",
        3: "rows have errors (--strict: or warnings), or it cannot be read",
        4: "bad project config, settings or token",
    },
    also=(2, 5),
)
