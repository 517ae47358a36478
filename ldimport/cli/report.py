"""``ldimport report``: an archive's migration in one file, for its owner to sign."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport import __version__
from ldimport.cli import archive
from ldimport.cli.command import Command
from ldimport.cli.output.documents import Document, dumps
from ldimport.cli.session import Session
from ldimport.errors import UsageError
from ldimport.files import STDOUT, NewFile
from ldimport.migration.model import ArchiveName, ArchiveSums
from ldimport.wording import counted, number, size

if TYPE_CHECKING:
    from ldimport.cli.output.report_words import ReportFacts, ReportWords
    from ldimport.migration import Migration
    from ldimport.migration.report import SampleOptions


class ReportFormat(StrEnum):
    """How a report is written."""

    HTML = "html"
    MD = "md"
    JSON = "json"


_ENDINGS = {"htm": ReportFormat.HTML, "markdown": ReportFormat.MD}


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """How many pictures the contact sheet has, and from where they may be fetched."""

    thumbnails: int | None = None
    allow_hosts: list[str] | None = None

    def read(self, session: Session, form: ReportFormat) -> SampleOptions:
        """As the use case takes them. Raises UsageError where there is no place for pictures."""
        from ldimport.migration.report import SampleOptions

        if form is not ReportFormat.HTML and self.thumbnails:
            raise UsageError(f"--thumbnails: a report as {form} holds no pictures",
                             hint="leave it out, or --format html")  # fmt: skip
        settings = session.settings
        most = self.thumbnails if form is ReportFormat.HTML else 0
        return SampleOptions(most, tuple(settings.allow_hosts), settings.job_options.ca_file)


def report(
    session: Session,
    sheet: SheetOptions,
    output: Path | None = None,
    form: ReportFormat | None = None,
    all_: bool = False,
) -> None:
    """Write what became of the archive in force into one file that needs no network: sums that add
    up, the course of the move, causes, origins, sizes, a sample of its pictures, failures, evidence
    and a place to sign. Where nothing names an archive, of all of them.

    The local engine's pictures are at hand; a server's are fetched only with --thumbnails.
    """
    archive.require_paths(session)
    form = _format(session, output, form)
    options = sheet.read(session, form)
    with ExitStack() as stack:
        migration = stack.enter_context(session.migration(write=False))
        mine = archive.to_show(session, migration, everything=all_)
        meant = migration.archives(**asdict(mine))
        if not any(each.totals.rows for each in meant):
            _none(session, mine)
        elif any(each.target == session.here for each in meant) and session.settings.embedded:
            migration = migration.at(stack.enter_context(session.target()))
        told, facts = _told(session, migration, meant, options)
        if told or form is ReportFormat.JSON or session.options.json:
            _write(session, told, facts, form, output)
        without = form is ReportFormat.HTML and sheet.thumbnails is None and session.chatty
        if without and any(not each.local for each in told):
            again = session.next_command("report", "--thumbnails", "120")
            session.notes.hint(again, "with pictures, fetched from where the target keeps them")
        archive.say_elsewhere(session, migration, mine, "report")


def _told(
    session: Session, migration: Migration, meant: tuple[ArchiveSums, ...], options: SampleOptions
) -> tuple[list[ReportWords], ReportFacts]:
    from ldimport.cli.output.report_words import ReportFacts, ReportWords
    from ldimport.migration.report import digest_of

    file = session.settings.project_config
    config = None if file is None else digest_of(file)
    facts = ReportFacts(session.now(), __version__, session.settings.api_version, config)

    def words(each: ArchiveSums) -> ReportWords:
        of = ArchiveName(each.target, each.system_name)

        def following(*command: str) -> str:
            return session.next_command(*command, of=of)

        return ReportWords(migration.report(each, options), facts, following)

    return [words(each) for each in meant if each.totals.rows], facts


def _format(session: Session, output: Path | None, form: ReportFormat | None) -> ReportFormat:
    if form is not None:
        return form
    if output is None or str(output) == STDOUT:
        return ReportFormat.JSON if session.options.json else ReportFormat.HTML
    ending = output.suffix.lower().removeprefix(".")
    known = {each.value: each for each in ReportFormat} | _ENDINGS
    if ending not in known:
        hint = "use .html, .md or .json, or add --format"
        raise UsageError(f"-o {output}: the ending says no format", hint=hint, code="format")
    return known[ending]


def _none(session: Session, mine: ArchiveName) -> None:
    if session.options.quiet:
        return
    of = f" of “{mine.system_name}”" if mine.system_name and not session.alone else ""
    session.notes.line(f"Nothing{of} has been submitted yet.")
    if session.chatty:
        session.notes.hint(session.next_command("submit", "MANIFEST"))


def _place(session: Session, output: Path | None, form: ReportFormat) -> Path:
    """The file, by default ``report.html`` here; what is read by a pipe goes there."""
    if output is not None:
        return output
    return Path(f"report.{form}") if session.out.tty and not session.options.json else Path(STDOUT)


def _write(
    session: Session,
    told: list[ReportWords],
    facts: ReportFacts,
    form: ReportFormat,
    output: Path | None,
) -> None:
    """The file, and with --json what is in it for scripts on standard output."""
    from ldimport.cli.output import report as words

    path = _place(session, output, form)
    to_stdout = str(path) == STDOUT
    if session.options.json and to_stdout:
        form = ReportFormat.JSON
    found = words.document(told, facts)
    if form is ReportFormat.JSON:
        text = f"{dumps(found)}\n"
    else:
        text = words.page(told, facts) if form is ReportFormat.HTML else words.markdown(told)
    with NewFile(path) as file:
        file.write(text)
    if not to_stdout:
        _say(session, path, len(text.encode()), told, found)


def _say(
    session: Session, path: Path, written: int, told: list[ReportWords], found: Document
) -> None:
    if session.options.json:
        session.document({**found, "file": str(path)})
        return
    if session.options.quiet:
        return
    wanted = sum(len(each.thumbnails) for each in told)
    shown = sum(each.shown for each in told)
    pictures = f" · {counted(shown, 'thumbnail')}" if wanted else ""
    lost = f", {number(wanted - shown)} could not be made" if shown < wanted else ""
    session.notes.say("✓", f"{path}  {size(written)}{pictures}{lost}")
    session.notes.line("→ open it, or send it: it needs no network", indent=2)


COMMAND = Command(
    report,
    (
        "ldimport report                      report.html, to open, print and sign",
        "ldimport report --thumbnails 60      of a server: its pictures are fetched",
        "ldimport report --format md -o -     the same for a ticket",
    ),
    {
        0: "written, whatever the outcomes are; also where nothing has been submitted yet",
        2: "an option or format that does not fit, an archive that is not known",
        4: "the state file is not ours, or the config is wrong",
        5: "the disk is full, or no picture can be drawn",
    },
    also=(130, 143),
)
