"""``ldimport results``: the outcome of every image, for people and as a map of ids."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path

from ldimport.cells import csv_form
from ldimport.cli import archive
from ldimport.cli.command import Command
from ldimport.cli.output import outcomes
from ldimport.cli.output.documents import redacted
from ldimport.cli.output.screen import OUTCOMES
from ldimport.cli.session import Session
from ldimport.errors import UsageError
from ldimport.files import STDOUT, NewFile
from ldimport.migration import Migration
from ldimport.migration.model import ArchiveName, Filter, ResultRow
from ldimport.model import Status
from ldimport.wording import counted, number

MOST_ROWS = 20


class OutputFormat(StrEnum):
    """How results are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


WRITERS = {OutputFormat.JSON: outcomes.write_json, OutputFormat.JSONL: outcomes.write_json_lines}


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """Which images."""

    failed: bool = False
    skipped: bool = False
    success: bool = False
    waived: bool = False
    job: str | None = None
    cause: str | None = None
    host: str | None = None

    def status(self) -> Status | None:
        """The one outcome that is wanted, if it is one. Raises UsageError for several."""
        chosen = [each for each in Status if getattr(self, each.value)]
        if len(chosen) + self.waived > 1:
            text = "--failed, --skipped, --success and --waived exclude each other"
            raise UsageError(text)
        return chosen[0] if chosen else None


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """In which form, and where to."""

    form: OutputFormat | None = None
    output: Path | None = None
    as_manifest: bool = False
    redact: bool = False
    most: int | None = None
    excel: bool = False


def results_(
    session: Session, filters: FilterOptions, wanted: OutputOptions, all_: bool = False
) -> None:
    """Show the last outcome of every image of the archive in force: status, media id, size,
    type, or the reason. Where nothing names an archive, of all of them.

    For scripts (CSV, JSON) URLs stand as they are, with passwords and signatures: see --redact.
    """
    archive.require_paths(session)
    with session.migration(write=False) as migration:
        which = _which(session, migration, filters, everything=all_)
        if wanted.as_manifest:
            _as_manifest(session, migration, which, wanted, everything=all_)
        elif (form := _format(session, wanted)) is OutputFormat.TABLE:
            most = MOST_ROWS if wanted.most is None else wanted.most
            _table(session, migration, which, most, everything=all_)
        else:
            rows = islice(_rows(session, migration, which), wanted.most or None)
            _write(session, migration, which, rows, wanted, form)
        mine = ArchiveName(which.target, which.system_name)
        archive.say_elsewhere(session, migration, mine, "results")


def _rows(
    session: Session, migration: Migration, which: Filter, *, failures_first: bool = False
) -> Iterator[ResultRow]:
    """What is known, and of which images a submit does not try again by itself any more."""
    most = session.settings.tries
    for row in migration.results(which, failures_first=failures_first):
        used_up = row.retryable and row.tries >= most
        yield row._replace(gave_up=True) if used_up else row


def _which(
    session: Session, migration: Migration, filters: FilterOptions, *, everything: bool
) -> Filter:
    """Raises UsageError where one of the filters names what does not exist."""
    status = filters.status()
    mine = archive.to_show(session, migration, everything=everything)
    if filters.cause is not None:
        migration.check_cause(filters.cause)
    if filters.job is not None:
        mine = archive.of_job(session, migration, filters.job)
    which = Filter(
        status, filters.job, filters.cause, filters.host, mine.target, mine.system_name,
        waived=filters.waived or None,
    )  # fmt: skip
    if filters.host is not None:
        migration.check_host(filters.host, mine)
    return which


def _format(session: Session, wanted: OutputOptions) -> OutputFormat:
    if session.options.json:
        return OutputFormat.JSON
    if wanted.form is not None:
        return wanted.form
    if wanted.output is None and session.out.tty:
        return OutputFormat.TABLE
    if wanted.output is None or str(wanted.output) == STDOUT:
        return OutputFormat.CSV
    ending = wanted.output.suffix.lower().removeprefix(".")
    if ending not in (OutputFormat.CSV, *WRITERS):
        hint = "use .csv, .json or .jsonl, or add --format"
        raise UsageError(f"-o {wanted.output}: the ending says no format", hint=hint)
    return OutputFormat(ending)


def _none(session: Session, migration: Migration, which: Filter) -> None:
    if not migration.archives():
        session.notes.line("Nothing has been submitted yet.")
        return
    kind = f"{OUTCOMES[which.status.value][1]} " if which.status else ""
    kind = "waived " if which.waived else kind
    of = f" of “{which.system_name}”" if which.system_name and not session.alone else ""
    session.notes.say("✓", f"No {kind}images{of}.")


def _write(
    session: Session,
    migration: Migration,
    which: Filter,
    rows: Iterator[ResultRow],
    wanted: OutputOptions,
    form: OutputFormat,
) -> None:
    if wanted.redact:
        rows = map(_without_secrets, rows)
    first = list(islice(rows, 1))
    path, rows = wanted.output or STDOUT, chain(first, rows)
    written = csv_form(path, excel=wanted.excel and form is OutputFormat.CSV)
    with NewFile(path, written.encoding) as file:
        if form is OutputFormat.CSV:
            outcomes.write_csv(file, rows, written.delimiter)
        else:
            WRITERS[form](file, rows)
    if not first and not session.options.quiet:
        _none(session, migration, which)


def _without_secrets(row: ResultRow) -> ResultRow:
    return ResultRow._make(map(redacted, row))


def _table(
    session: Session, migration: Migration, which: Filter, most: int, *, everything: bool
) -> None:
    rows = _rows(session, migration, which, failures_first=True)
    first = list(islice(rows, 1))
    if not first:
        _none(session, migration, which)
        return
    asked = migration.archives(target=which.target, system_name=which.system_name)
    several = sum(each.totals.rows > 0 for each in asked) > 1
    failed, screen = which.status is Status.FAILED or which.waived, session.screen
    shown = 0

    def counted_rows() -> Iterator[ResultRow]:
        nonlocal shown
        for shown, row in enumerate(islice(chain(first, rows), most or None), 1):  # noqa: B007
            yield row

    (outcomes.failures if failed else outcomes.outcomes)(screen, counted_rows(), several=several)
    more = next(rows, None) is not None
    again = ["results", *([f"--{which.status.value}"] if which.status else [])]
    again += ["--waived"] if which.waived else []
    for name in ("job", "cause", "host"):
        again += [f"--{name}", value] if (value := getattr(which, name)) else []
    again += ["--all"] if everything else []
    hints = []
    if more:
        screen.blank()
        screen.line(f"the first {number(shown)} are shown")
        hints.append((session.next_command(*again, "-n", "0"), "all of them"))
    if failed and not several:
        edit = session.next_command(*again, "--as-manifest", "-o", "failed.csv")
        hints.append((edit, "to edit and submit again"))
    elif more:
        hints.append((session.next_command(*again, "-o", "results.csv"), "as a file"))
    screen.hints(hints)


def _as_manifest(
    session: Session,
    migration: Migration,
    which: Filter,
    wanted: OutputOptions,
    *,
    everything: bool,
) -> None:
    from ldimport.manifest.form import RowForm
    from ldimport.manifest.streams import encoding_name
    from ldimport.migration.reports.files import write_as_manifest

    if wanted.form is OutputFormat.TABLE:
        raise UsageError("a table is no manifest", hint="--format csv, json or jsonl")
    which = replace(which, status=Status.FAILED)
    if not everything:
        archive.refuse_several(session, migration, which)
    forms = [each and RowForm.parsed(each) for each in migration.dialects(which)]
    several = everything and len(archive.with_failures(migration, which)) > 1
    rows = migration.failed_rows(which)
    if wanted.redact:
        rows = ((redacted(own), _without_secrets(row)) for own, row in rows)
    written = write_as_manifest(
        wanted.output or Path(STDOUT),
        rows,
        OutputFormat.JSON if wanted.form is None and session.options.json else wanted.form,
        excel=wanted.excel,
        like=forms[0] or None if len(forms) == 1 else None,
        several=several,
    )
    if session.options.quiet:
        return
    session.notes.line(f"{counted(written.count, 'failed image')}, as they were sent")
    if written.lacking:
        lacks = f"{encoding_name(written.lacking)} lacks characters of these rows"
        session.notes.say("!", f"{lacks}: the file is UTF-8, with its mark")
    if several:
        session.notes.say("!", "they are of several archives: submit them one by one")


COMMAND = Command(
    results_,
    (
        "ldimport results --failed",
        "ldimport results > map.csv           external id to media id, all images",
        "ldimport results --failed --as-manifest -o failed.csv",
    ),
    {
        0: "whatever the outcomes are",
        2: "unknown job, command or option",
        4: "the state file is not ours, or the config is wrong",
    },
)
