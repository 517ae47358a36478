"""``ldimport results``: the outcome of every image, for people and as a map of ids."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import typer

from ldimport.cli.output import outcomes
from ldimport.cli.output.text import counted, number
from ldimport.cli.session import Session
from ldimport.cli.spec import Command
from ldimport.errors import ExitCode, UsageError
from ldimport.migration import Migration
from ldimport.migration.model import Filter, ResultRow
from ldimport.model import Status
from ldimport.system import sync_folder

MOST_ROWS = 20


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


def _own(name: str) -> str:
    """These filters share their names with options of other commands."""
    return f"LDIMPORT_RESULTS_{name}"


Failed = Annotated[bool, typer.Option("--failed", envvar=_own("FAILED"), help="only failed images")]
Skipped = Annotated[
    bool, typer.Option("--skipped", envvar=_own("SKIPPED"), help="only skipped images")
]
Success = Annotated[
    bool, typer.Option("--success", envvar=_own("SUCCESS"), help="only imported images")
]
JobOption = Annotated[
    str | None, typer.Option("--job", envvar=_own("JOB"), metavar="ID", help="only of this job")
]
Cause = Annotated[
    str | None,
    typer.Option("--cause", envvar=_own("CAUSE"), metavar="CODE", help="failed for this cause"),
]
Host = Annotated[
    str | None,
    typer.Option("--host", envvar=_own("HOST"), metavar="H", help="fetched from this host"),
]
Form = Annotated[Format | None, typer.Option("--format", help="table on a terminal, else csv")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="write here; its ending is the format"),
]
AsManifest = Annotated[
    bool,
    typer.Option("--as-manifest", help="the rows as they were sent, to edit and submit again"),
]
Most = Annotated[
    int | None,
    typer.Option(
        "--most", "-n", min=0, envvar=_own("MOST"), metavar="N", help="rows to show; 0 = all"
    ),
]


def results_(
    context: typer.Context,
    failed: Failed = False,
    skipped: Skipped = False,
    success: Success = False,
    job: JobOption = None,
    cause: Cause = None,
    host: Host = None,
    form: Form = None,
    output: Output = None,
    as_manifest: AsManifest = False,
    most: Most = None,
) -> ExitCode:
    """Show the last outcome of every image: status, media id, size, type, or the reason."""
    session = Session.of(context)
    settings = session.settings()
    which = Filter(
        status=_status(failed, skipped, success),
        job=job,
        cause=cause,
        host=host,
        target=settings.target if session.given("target") else None,
        system_name=settings.system_name if session.given("system_name") else None,
    )
    with session.migration(settings, write=False) as migration:
        if job is not None:
            migration.job(job)
        if as_manifest:
            _as_manifest(session, migration, which, _manifest_format(session, form), output)
        else:
            _results(session, migration, which, _format(session, form, output), output, most)
    return ExitCode.OK


def _status(failed: bool, skipped: bool, success: bool) -> Status | None:
    chosen = [
        status
        for status, wanted in (
            (Status.FAILED, failed),
            (Status.SKIPPED, skipped),
            (Status.SUCCESS, success),
        )
        if wanted
    ]
    if len(chosen) > 1:
        raise UsageError("--failed, --skipped and --success exclude each other")
    return chosen[0] if chosen else None


def _format(session: Session, form: Format | None, output: Path | None) -> Format:
    if session.options.json:
        return Format.JSON
    if form is not None:
        return form
    if output is not None:
        endings = {".csv": Format.CSV, ".json": Format.JSON, ".jsonl": Format.JSONL}
        found = endings.get(output.suffix.lower())
        if found is None:
            raise UsageError(
                f"-o {output}: the ending says no format",
                hint="use .csv, .json or .jsonl, or add --format",
            )
        return found
    return Format.TABLE if session.out.tty else Format.CSV


def _results(
    session: Session,
    migration: Migration,
    which: Filter,
    form: Format,
    output: Path | None,
    most: int | None,
) -> None:
    if form is Format.TABLE:
        _table(session, migration, which, MOST_ROWS if most is None else most)
        return
    rows = islice(migration.results(which), most or None)
    passed = _Counted()

    def write(file: TextIO) -> None:
        match form:
            case Format.CSV:
                outcomes.write_csv(file, passed(rows))
            case Format.JSON:
                outcomes.write_json(file, passed(rows))
            case _:
                for line in outcomes.json_lines(passed(rows)):
                    file.write(f"{line}\n")

    _write(session, output, write)
    if not passed.count and not session.options.quiet:
        session.notes.line(("✓", "green"), f" No {_kind(which)}images.")


class _Counted:
    """Passes rows on and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, rows: Iterator[ResultRow]) -> Iterator[ResultRow]:
        for row in rows:
            self.count += 1
            yield row


def _kind(which: Filter) -> str:
    words = {Status.FAILED: "failed ", Status.SKIPPED: "skipped ", Status.SUCCESS: "imported "}
    return words.get(which.status, "") if which.status else ""


def _table(session: Session, migration: Migration, which: Filter, most: int) -> None:
    found = list(islice(migration.results(which, failures_first=True), most + 1 if most else None))
    more = bool(most) and len(found) > most
    shown = found[:most] if most else found
    screen = session.screen
    if not shown:
        session.notes.line(("✓", "green"), f" No {_kind(which)}images.")
        return
    if which.status is Status.FAILED:
        outcomes.failures(screen, shown)
    else:
        outcomes.outcomes(screen, shown)
    again = f"ldimport results{_flags(which)}"
    hints = []
    if more:
        screen.blank()
        screen.line(f"the first {number(len(shown))} are shown")
        hints.append((f"{again} -n 0", "all of them"))
    if which.status is Status.FAILED:
        hints.append((f"{again} --as-manifest -o failed.csv", "to edit and submit again"))
    elif more:
        hints.append((f"{again} -o results.csv", "as a file"))
    screen.hints(hints)


def _flags(which: Filter) -> str:
    flags = f" --{which.status.value}" if which.status else ""
    flags += f" --job {which.job}" if which.job else ""
    flags += f" --cause {which.cause}" if which.cause else ""
    return flags + (f" --host {which.host}" if which.host else "")


def _manifest_format(session: Session, form: Format | None) -> Format | None:
    """What was asked for; None: a file's ending decides, and it is csv on standard output."""
    if form is Format.TABLE:
        raise UsageError("a table is no manifest", hint="--format csv, json or jsonl")
    return Format.JSON if session.options.json and form is None else form


def _as_manifest(
    session: Session, migration: Migration, which: Filter, form: Format | None, output: Path | None
) -> None:
    from ldimport.migration.failed_rows import write_as_manifest

    rows = migration.failed_rows(replace(which, status=Status.FAILED))
    if output is not None:
        count = write_as_manifest(output, rows, form)
    else:
        with tempfile.TemporaryDirectory() as folder:  # its header is known after the last row
            path = Path(folder, f"failed.{form or Format.CSV}")
            count = write_as_manifest(path, rows)
            with path.open(encoding="utf-8", newline="") as file:
                shutil.copyfileobj(file, session.out.file)
    if not session.options.quiet:
        session.notes.line(f"{counted(count, 'failed image')}, as they were sent")


def _write(session: Session, output: Path | None, write: Callable[[TextIO], None]) -> None:
    """To standard output, or to a file that appears only when it is whole."""
    if output is None:
        write(session.out.file)
        return
    with whole_file(output) as file:
        write(file)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Write under a temporary name beside ``path``, then rename: nobody sees half a file."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", code="no-such-file") from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        sync_folder(path.resolve().parent)
    finally:
        temporary.unlink(missing_ok=True)


COMMAND = Command(
    "results",
    results_,
    (
        "ldimport results --failed",
        "ldimport results > map.csv           external id to media id, all images",
        "ldimport results --failed --as-manifest -o failed.csv",
    ),
    {
        ExitCode.OK: "whatever the outcomes are",
        ExitCode.USAGE: "unknown job, command or option",
        ExitCode.CONFIG: "the state file is not ours, or the config is wrong",
    },
)
