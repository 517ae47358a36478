"""``ldimport state``: look after the state file."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO

from ldimport.cli import archive
from ldimport.cli.command import Command, Group
from ldimport.cli.options import ReadingOptions
from ldimport.cli.output import documents
from ldimport.cli.output.documents import FORMAT, fields_of
from ldimport.cli.runner import seconds_between
from ldimport.cli.session import Session, tilde
from ldimport.errors import ExitCode, UsageError
from ldimport.files import STDOUT
from ldimport.migration.care import Copied, Merged, StateHealth, StateInfo
from ldimport.migration.model import ArchiveName
from ldimport.migration.rebuild import Rebuilt
from ldimport.wording import clean, clock, counted, number, size, utc


def _there(session: Session) -> Path:
    """The state file in force. Raises UsageError where none is."""
    archive.require_paths(session)
    path = session.settings.state
    if not path.exists():
        hint = "nothing was submitted yet; --state FILE names another one"
        raise UsageError(f"there is no state file at {path}", hint=hint, code="state-missing")
    return path


def info(session: Session) -> None:
    """Say what the state file is: size, schema, archives with their sums, jobs, the last run, and
    who holds it. An older one is not migrated."""
    from ldimport.migration.store import care

    found = care.info(_there(session))
    if session.options.json:
        told = {
            "file": str(found.file),
            "older": found.older,
            "archives": [documents.archive(each) for each in found.archives],
            "lastChange": None if found.last_change is None else utc(found.last_change),
            "lastRun": None if found.last_run is None else documents.run(found.last_run),
        }
        session.document({"format": FORMAT, **fields_of(found), **told})
        return
    _show_info(session, found)


def _show_info(session: Session, found: StateInfo) -> None:
    screen = session.screen
    older = "; the next command that writes brings it up to date" if found.older else ""
    screen.line(("state file", "bold"), f"  {clean(tilde(found.file))}")
    screen.line(f"  {size(found.size)} · schema {found.schema} of {found.newest}{older}", indent=2)
    screen.blank()
    for each in found.archives:
        told = (
            f"{number(n)} {name.replace('_', ' ')}"
            for name, n in fields_of(each.totals).items()
            if n and name not in ("invalid", "notTakenOver")
        )
        where = f"{each.system_name} at {each.label}"
        screen.line(f"  {where}: {', '.join(told) or 'no images'}", indent=2)
    if not found.archives:
        screen.line("  no archive: nothing was submitted yet", indent=2)
    jobs = ", ".join(f"{number(n)} {state}" for state, n in found.jobs.items())
    facts = {"jobs": jobs or "none"}
    if found.last_change is not None:
        facts["last change"] = clock(found.last_change, session.now())
    if found.last_run is not None:
        run = found.last_run
        facts["last run"] = (
            f"{run.command}, exit {run.exit_code}, {clock(run.finished_at, session.now())}"
        )
    facts["held by"] = found.holder or "nobody"
    screen.blank()
    screen.facts(facts)


def check(session: Session, repair: bool = False) -> ExitCode:
    """Look at all of the state file: is it whole, do the sums add up, can all that waits to be sent
    be read. With --repair the sums are counted again and stored."""
    from ldimport.migration.store import care

    health = care.check(_there(session), repair=repair)
    code = ExitCode.OK if health.sound else ExitCode.CONFIG
    if session.options.json:
        faults = [fields_of(each) for each in health.faults]
        told = {"file": str(health.file), "faults": faults, "sound": health.sound}
        session.document({"format": FORMAT, **fields_of(health), **told, "exitCode": int(code)})
    elif session.options.quiet < 2:
        _show_health(session, health)
    return code


def _show_health(session: Session, health: StateHealth) -> None:
    screen = session.screen
    screen.line(("state file", "bold"), f"  {clean(tilde(health.file))}")
    screen.line(f"  {counted(health.images, 'image')} · {counted(health.jobs, 'job')}", indent=2)
    screen.blank()
    if health.repaired:
        screen.say("✓", f"{counted(health.repaired, 'sum')} counted again and stored")
    for fault in health.faults:
        screen.say("✗", clean(fault.text))
        screen.line(f"    {fault.fix}", indent=4)
    if health.sound:
        screen.say("✓", "sound: it is whole, and its sums add up")


def backup(session: Session, file: Path, force: bool = False) -> None:
    """Copy the state file as it is in this moment, also while another run writes to it; the copy is
    looked through before it gets its name."""
    from ldimport.migration.store import copying

    copied = copying.backup(_there(session), file, force=force)
    if session.options.json:
        session.document({"format": FORMAT, "file": str(file), "size": copied})
    elif not session.options.quiet:
        session.screen.say("✓", f"{size(copied)} copied, and read again   {clean(str(file))}")


def export(session: Session, file: Path | None = None, force: bool = False) -> None:
    """Write everything in the state file as JSON Lines, a line for each row of each table, for
    `state import`. URLs stand there as they are, with their secrets."""
    from ldimport.migration.store import copying

    path = file or Path(STDOUT)
    copied = copying.export(_there(session), path, force=force)
    if str(path) != STDOUT:
        _said_copied(session, copied, path, "written")


def import_(session: Session, file: Path) -> None:
    """Make a new state file (--state FILE) of what `state export` wrote, all of it or nothing."""
    from ldimport.migration.store import copying

    with ExitStack() as stack:
        stream = _opened(file, stack)
        copied = copying.take(session.settings.state, stream, clean(str(file)))
    _said_copied(session, copied, session.settings.state, "imported")


def _opened(file: Path, stack: ExitStack) -> IO[bytes]:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(file.open("rb"))
    except OSError as error:
        text = f"{file} cannot be read: {error.strerror}"
        raise UsageError(text, code="no-such-file") from error


def _said_copied(session: Session, copied: Copied, path: Path, word: str) -> None:
    rows = sum(copied.rows.values())
    if session.options.json:
        session.document({"format": FORMAT, "file": str(path), "rows": dict(copied.rows)})
    elif not session.options.quiet:
        images = counted(copied.rows.get("image", 0), "image")
        what = f"{counted(rows, 'row')} {word}, of {images}"
        session.screen.say("✓", f"{what}   {clean(tilde(path))}")


def merge(session: Session, other: Path) -> None:
    """Take what another state file of the same archives knows into the one in force, as from two
    laptops. The other one is only read. Of an image the later outcome counts."""
    from ldimport.migration.store import merging

    merged = merging.merge(_there(session), other)
    if session.options.json:
        told = {"file": str(session.settings.state), "other": str(other), **fields_of(merged)}
        session.document({"format": FORMAT, **told})
    elif not session.options.quiet:
        _show_merged(session, merged, other)


def _show_merged(session: Session, merged: Merged, other: Path) -> None:
    screen = session.screen
    if merged.nothing:
        screen.say("✓", f"nothing new in {clean(str(other))}")
        return
    counts = (
        (merged.archives, "archive", "new"),
        (merged.batches, "batch", "new"),
        (merged.settled, "batch", "came further there"),
        (merged.added, "image", "new"),
        (merged.updated, "image", "with a later outcome there"),
        (merged.verifications, "look at the library", "newer there"),
        (merged.runs, "run", "new"),
    )
    screen.say("✓", f"taken from {clean(str(other))}")
    for n, noun, what in counts:
        if n:
            plural = {"batch": "batches", "look at the library": "looks at the library"}.get(noun)
            screen.line(f"    {counted(n, noun, plural)} {what}", indent=4)
    if merged.open_in_both:
        images = counted(merged.open_in_both, "image")
        screen.say("!", f"{images} under way in both, in different jobs; the one sent last counts")
    if merged.engines:
        engines = counted(merged.engines, "local engine")
        screen.say("!", f"{engines} of the other file, which are targets of their own: what one "
                   "has, another has not")  # fmt: skip


def rebuild(session: Session, rate: float | None = None, *, reading: ReadingOptions) -> None:
    """Make a state file that was lost again: look each row of the manifest up in the target's media
    library by systemName and id. What is there as it would be sent counts as arrived, what differs
    as changed, and the next submit sends only the rest.

    What was interrupted goes on where it stopped. Nothing is sent.
    """
    with (
        session.target() as target,
        session.source(session.project_config(target), reading) as source,
        session.migration(target, write=True) as migration,
        ExitStack() as stack,
    ):
        session.ran = ArchiveName(target.identity, source.envelope.system_name)
        every = seconds_between(session.environ.get("LDIMPORT_PROGRESS_EVERY"))
        end, line = None, session.now() + every
        events = stack.enter_context(closing(migration.rebuild(source, rate)))
        for end in events:
            if not session.options.quiet and session.now() >= line:
                line = session.now() + every
                session.notes.line(f"looked up {number(end.asked)}, there {number(_there_of(end))}")
    assert end is not None  # it always tells its end
    if session.options.json:
        session.document({"format": FORMAT, **fields_of(end)})
    elif not session.options.quiet:
        _show_rebuilt(session, end)


def _there_of(end: Rebuilt) -> int:
    return end.same + end.changed


def _show_rebuilt(session: Session, end: Rebuilt) -> None:
    screen = session.screen
    screen.line(f"{end.target} · systemName {end.system_name}")
    screen.blank()
    rows = [
        ("✓", "there", end.same, ""),
        ("~", "there, and changed", end.changed, "the next submit sends them again"),
        ("+", "not there", end.absent, "the next submit sends them"),
        ("·", "known already", end.known, "not asked again"),
        ("✗", "invalid", end.invalid, "not looked up"),
    ]
    total = end.asked + end.known + end.invalid
    screen.counts([row for row in rows if row[2]], ("rows", total))
    if end.asked and not (_there_of(end) or end.known):
        screen.blank()
        screen.say("!", "nothing of this is in the media library under this systemName: is it "
                   "the right target, and the name that was sent under?")  # fmt: skip
    plan = session.next_command("plan", *session.paths)
    screen.hints([(plan, "what the next submit would send")])


_COMMON = {
    2: "no such file, or one that is there already",
    4: "it is not ours, damaged or newer",
    5: "the disk is full",
}

COMMAND = Group(
    "state",
    "Look after the state file: is it sound, copies, two in one, and its loss.",
    (
        Command(info, ("ldimport state info", "ldimport state info --json"),
                {0: "shown", **_COMMON}),
        Command(check, ("ldimport state check", "ldimport state check --repair"),
                {0: "sound", 2: "no such file", 4: "something is wrong, or it is not ours",
                 5: "the disk is full", 7: "--repair, and another run holds it"}, (130, 143)),
        Command(backup, ("ldimport state backup ~/backups/state.sqlite --force",),
                {0: "copied", **_COMMON}, (130, 143)),
        Command(export, ("ldimport state export state.jsonl",
                         "ldimport state export | gzip > state.jsonl.gz"),
                {0: "written", **_COMMON}, (130, 143)),
        Command(import_, ("ldimport state import state.jsonl --state new.sqlite",),
                {0: "imported", 3: "a line cannot be read; nothing was imported", **_COMMON},
                (7, 130, 143)),
        Command(merge, ("ldimport state merge laptop.sqlite",),
                {0: "merged, or nothing was new", **_COMMON}, (7, 130, 143)),
        Command(rebuild, ("ldimport state rebuild archive.csv --system-name archive",),
                {0: "all rows were looked up", 3: "the manifest cannot be read",
                 4: "the token may not read the media library, or the config is wrong",
                 5: "the target did not answer; run again to go on"}, (2, 7, 10, 130, 143)),
    ),
)  # fmt: skip
