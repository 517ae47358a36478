"""``ldimport export``: what is handed over at the end of a migration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ldimport.cells import csv_form
from ldimport.cli import archive
from ldimport.cli.command import Command, Group
from ldimport.cli.output import lists
from ldimport.cli.output.documents import Document, dumps, fields_of, in_order, redacted
from ldimport.cli.output.lists import ExportFormat
from ldimport.cli.session import Session
from ldimport.errors import UsageError
from ldimport.files import STDOUT, NewFile
from ldimport.migration import Migration
from ldimport.migration.handover import Birth, LookUp, birth, looked_up, with_library
from ldimport.migration.model import ArchiveName, Filter
from ldimport.migration.redirect import LeftOut, Redirect, WebServer, apache, nginx, redirect_of
from ldimport.migration.store.tables import RedirectTable
from ldimport.wording import counted, number

MOST_NAMED = 10
MAP_KEYS = ("externalId", "systemName", "sourceUrl", "mediaId", "url", "originalUrl", "size",
            "width", "height", "mimeType", "jobId", "status", "target")  # fmt: skip
UNDO_KEYS = ("mediaId", "externalId", "systemName", "createdAt", "jobId", "target")
REDIRECT_KEYS = ("from", "to", "externalId")


MAP_FORMATS = (ExportFormat.CSV, ExportFormat.JSONL, ExportFormat.JSON, ExportFormat.XLSX,
               ExportFormat.SQLITE)  # fmt: skip
UNDO_FORMATS = (ExportFormat.CSV, ExportFormat.JSONL, ExportFormat.JSON, ExportFormat.TXT)
_ENDINGS = {"tsv": ExportFormat.CSV, "tab": ExportFormat.CSV, "ndjson": ExportFormat.JSONL,
            "db": ExportFormat.SQLITE, "sqlite3": ExportFormat.SQLITE}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Where to, and how texts stand there."""

    output: Path | None = None
    redact: bool = False
    excel: bool = False
    all_: bool = False

    @property
    def path(self) -> Path:
        """The file, or standard output."""
        return self.output or Path(STDOUT)

    @property
    def to_stdout(self) -> bool:
        """Whether rows go where messages for scripts go too."""
        return str(self.path) == STDOUT


@dataclass(frozen=True, slots=True)
class LibraryOptions:
    """Whether the target is asked, and how often."""

    look_up: bool = False
    rate: float | None = None


# -- the map -------------------------------------------------------------------------------------


def map_(
    session: Session,
    file: FileOptions,
    library: LibraryOptions,
    form: ExportFormat | None = None,
) -> None:
    """Write which image became which media entry: id, systemName and old address, media id and new
    address, size. A row for each image with a media id; the ending of the file is its format.

    Sizes in bytes are known of the local engine, of images that `verify` looked up, or by
    --look-up.
    """
    form = _format(session, file, form, MAP_FORMATS)
    if form is ExportFormat.XLSX:
        lists.check_excel()
    with ExitStack() as stack:
        migration, which = _opened(session, stack, file)
        rows, left = migration.results(which), 0
        if (ask := _library(session, stack, migration, which, library)) is not None:
            rows = with_library(rows, ask[1])

        def documents() -> Iterator[Document]:
            nonlocal left
            values = in_order(MAP_KEYS)
            for row in rows:
                if row.media_id is None:
                    left += 1
                    continue
                yield dict(zip(MAP_KEYS, values(row), strict=True))

        count = lists.write(
            file.path, form, "map", MAP_KEYS, _shown(documents(), file), excel=file.excel
        )
        rest = f"; {counted(left, 'image')} without a media id left out" if left else ""
        _said(session, file, f"{counted(count, 'image')}{rest}", {"images": count, "leftOut": left})
        _elsewhere(session, migration, which, "map", count)


# -- redirects -----------------------------------------------------------------------------------


@dataclass
class _Sorted:
    """Redirects, each address once, and what has none."""

    table: RedirectTable
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    twice: int = 0
    conflicts: list[tuple[Redirect, Redirect]] = field(default_factory=list)
    conflicting: int = 0

    def add(self, found: Redirect | LeftOut, server: WebServer) -> None:
        """Put one image down."""
        if isinstance(found, Redirect) and not server.takes(found):
            found = LeftOut.TOO_LONG
        if isinstance(found, LeftOut):
            self.left_out[found] += 1
        elif (other := self.table.add(found)) is not None:
            self.twice += 1
            if other.goal != found.goal:
                self.conflicting += 1
                if len(self.conflicts) < MOST_NAMED:
                    self.conflicts.append((other, found))

    def document(self, count: int) -> Document:
        """For scripts."""
        left = {each.name.lower().replace("_", "-"): n for each, n in self.left_out.items()}
        return {
            "redirects": count,
            "leftOut": left,
            "duplicates": self.twice,
            "conflicting": self.conflicting,
            "conflicts": [
                {"from": one.source, "externalIds": [one.external_id, other.external_id],
                 "to": one.goal, "not": other.goal}
                for one, other in self.conflicts
            ],
        }  # fmt: skip


def redirects(session: Session, file: FileOptions, server: WebServer | None = None) -> None:
    """Write redirects from the old address of each image to its new one, for images that came from
    the web: a `map` for nginx, a `RewriteMap` for Apache, or CSV. The file says how it is used.

    Of two images with one old address the first one is taken; the others are told.
    """
    server = server or WebServer.CSV
    if session.options.json and file.to_stdout:
        raise UsageError("--json tells how many there are, and needs a file for them",
                         hint="add -o FILE")  # fmt: skip
    with ExitStack() as stack:
        migration, which = _opened(session, stack, file)
        found = _Sorted(stack.enter_context(RedirectTable()))
        for row in migration.results(which):
            found.add(redirect_of(row), server)
        count = found.table.count()
        _write_redirects(file, server, found.table, count)
        left = "".join(f"; {number(n)} {why.value} left out" for why, n in found.left_out.items())
        _said(session, file, f"{counted(count, 'redirect')}{left}", found.document(count))
        _say_conflicts(session, found)
        _elsewhere(session, migration, which, "redirects", count)


def _write_redirects(
    file: FileOptions, server: WebServer, table: RedirectTable, count: int
) -> None:
    form = csv_form(file.path, excel=file.excel and server is WebServer.CSV)
    name = file.path.name if file.path.name.isprintable() else "redirects"
    name = name if not file.to_stdout else "redirects"
    with NewFile(file.path, form.encoding) as new:
        if server is WebServer.CSV:
            rows = ((each.source, each.goal, each.external_id) for each, _ in table.each())
            shown = map(redacted, rows) if file.redact else rows
            lists.write_csv(new, REDIRECT_KEYS, shown, form.delimiter)
            return
        lines = (
            nginx(table.each(), count, table.longest(), name)
            if server is WebServer.NGINX
            else apache(table.each(), name)
        )
        for line in lines:
            new.write(line)


def _say_conflicts(session: Session, found: _Sorted) -> None:
    if session.options.quiet or not found.conflicting:
        return
    text = (
        f"{counted(found.conflicting, 'image')} have the old address of another one, which is taken"
    )
    session.notes.say("!", text)
    for one, other in found.conflicts:
        session.notes.line(f"  {one.source}: {one.external_id}, not {other.external_id}", indent=2)


# -- undo ----------------------------------------------------------------------------------------


def undo(
    session: Session,
    file: FileOptions,
    library: LibraryOptions,
    form: ExportFormat | None = None,
    skew: float | None = None,
) -> None:
    """List the media ids that this migration created, never those that it only updated: what to
    remove to undo it. Nothing is removed.

    An entry counts as created if the library says that it began after its image was first sent.
    What that is not known of is left out and counted: `verify` or --look-up asks for it.
    """
    form = _format(session, file, form, UNDO_FORMATS)
    with ExitStack() as stack:
        migration, which = _opened(session, stack, file)
        ask = _library(session, stack, migration, which, library)
        counts: Counter[Birth] = Counter()

        def documents() -> Iterator[Document]:
            for each in migration.contacts(which):
                contact = each
                if ask is not None and each.target == ask[0].target.identity:
                    contact = looked_up(each, ask[0].target, ask[1])
                kind = birth(contact, skew)
                counts[kind] += 1
                if kind is Birth.CREATED:
                    found = fields_of(contact)
                    yield {key: found[key] for key in UNDO_KEYS}

        lists.write(file.path, form, "undo", UNDO_KEYS, _shown(documents(), file), excel=file.excel)
        _say_undo(session, file, counts)
        _elsewhere(session, migration, which, "undo", sum(counts.values()))


def _say_undo(session: Session, file: FileOptions, counts: Counter[Birth]) -> None:
    words = {
        Birth.CREATED: "created by this migration",
        Birth.UPDATED: "only updated, left out",
        Birth.UNKNOWN: "unknown, left out",
        Birth.MISSING: "no longer there, left out",
    }
    told = [f"{number(counts[each])} {word}" for each, word in words.items()
            if counts[each] or each is not Birth.MISSING]  # fmt: skip
    document = {each.value: counts[each] for each in Birth}
    _said(session, file, "; ".join(told), document)
    if counts[Birth.UNKNOWN] and session.chatty:
        again = session.next_command("export", "undo", "--look-up")
        session.notes.hint(again, "asks the media library when the unknown ones were created")


# -- what they share -----------------------------------------------------------------------------


def _opened(session: Session, stack: ExitStack, file: FileOptions) -> tuple[Migration, Filter]:
    archive.require_paths(session)
    migration = stack.enter_context(session.migration(write=False))
    mine = archive.to_show(session, migration, everything=file.all_)
    session.ran = ArchiveName(mine.target, mine.system_name)
    return migration, Filter(**asdict(mine))


def _library(
    session: Session, stack: ExitStack, migration: Migration, which: Filter, wanted: LibraryOptions
) -> tuple[Migration, LookUp] | None:
    """Who is asked: the local engine, if any of this is there; a server if that is wanted."""
    here = session.here
    there = any(
        each.target == here
        and ArchiveName(which.target, which.system_name).holds(each.target, each.system_name)
        for each in migration.archives()
    )
    if not there and wanted.look_up and migration.archives():
        text = f"--look-up asks {session.settings.target}, where none of these images are"
        raise UsageError(text, hint="name the one that has them: --target URL", code="other-target")
    if not there or not (wanted.look_up or session.settings.embedded):
        return None
    asked = migration.at(stack.enter_context(session.target()))
    return asked, asked.look_up(wanted.rate)


def _format(
    session: Session,
    file: FileOptions,
    given: ExportFormat | None,
    allowed: tuple[ExportFormat, ...],
) -> ExportFormat:
    form = given
    if form is None and file.to_stdout:
        form = ExportFormat.JSON if session.options.json else ExportFormat.CSV
    elif form is None:
        ending = file.path.suffix.lower().removeprefix(".")
        known = {each.value: each for each in ExportFormat} | _ENDINGS
        form = known.get(ending)
    if form not in allowed or form is None:
        what = f"--format {given}" if given else f"-o {file.path}: the ending"
        listed = ", ".join(each.value for each in allowed)
        raise UsageError(f"{what} says no format that is written here", hint=f"use one of {listed}",
                         code="format")  # fmt: skip
    return form


def _shown(rows: Iterable[Document], file: FileOptions) -> Iterator[Document]:
    return map(redacted, rows) if file.redact else iter(rows)


def _said(session: Session, file: FileOptions, text: str, document: Document) -> None:
    """How many there are: a document beside the file, or a line."""
    if session.options.json and not file.to_stdout:
        session.out.document(dumps({"format": 1, "file": str(file.path), **document}))
    elif not session.options.quiet:
        where = "" if file.to_stdout else f"   {file.path}"
        session.notes.say("✓", f"{text}{where}")


def _elsewhere(
    session: Session, migration: Migration, which: Filter, command: str, count: int
) -> None:
    if not migration.archives() and session.chatty:
        session.notes.line("Nothing has been submitted yet.")
    mine = ArchiveName(which.target, which.system_name)
    archive.say_elsewhere(session, migration, mine, f"export {command}")


_EXITS = {
    0: "written",
    2: "an option or format that does not fit, an archive that is not known",
    4: "the state file is not ours, the token may not read the library, or an extra is missing",
    5: "the disk is full, or the target did not answer",
}

COMMAND = Group(
    "export",
    "What is handed over at the end: maps, redirects, a list to undo.",
    (
        Command(map_, ("ldimport export map -o map.csv", "ldimport export map -o map.xlsx",
                       "ldimport export map --look-up -o map.sqlite"), _EXITS, (130, 143)),
        Command(redirects, ("ldimport export redirects --format nginx -o redirects.conf",
                            "ldimport export redirects --format apache -o redirects.txt"),
                _EXITS, (130, 143)),
        Command(undo, ("ldimport export undo --look-up -o created.csv",), _EXITS, (130, 143)),
    ),
)  # fmt: skip
