"""Which archive of the state file a command acts on: the one in force, or all of them with
``--all``; what lies elsewhere in the state file is named, and never touched."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ldimport.cli.session import Session
from ldimport.errors import UsageError, did_you_mean, near
from ldimport.migration import Migration
from ldimport.migration.model import ArchiveName, ArchiveSums, Filter, JobRow, Totals
from ldimport.targets.base import Target
from ldimport.wording import counted, number

MOST_NAMED = 3


def require_paths(session: Session) -> None:
    """A state file or engine that the command line names and a command reads has to be there.
    Raises UsageError with the one that was probably meant."""
    for name, what in (("state", "state file"), ("engine", "engine folder")):
        given = session.flags.get(name)
        path = None if given is None else Path(getattr(session.settings, name))
        if path is not None and not os.path.lexists(path):
            beside = path.parent
            there = [each.name for each in beside.iterdir()] if beside.is_dir() else []
            meant = near(path.name, there)
            hint = f"did you mean --{name} {Path(str(given)).with_name(meant)}?" if meant else None
            text = f"--{name} {given}: there is no such {what}"
            raise UsageError(text, hint=hint, code="no-such-file")


# -- reading -------------------------------------------------------------------------------------


def to_show(session: Session, migration: Migration, *, everything: bool) -> ArchiveName:
    """What ``status`` and ``results`` show: the archive in force as far as anything names one.
    Raises UsageError for one that the command line names and the state file does not know."""
    archives = migration.archives()
    session.knows(archives)
    if everything:
        return ArchiveName()
    _check_named(session, archives)
    return session.archive


def _check_named(session: Session, archives: Sequence[ArchiveSums]) -> None:
    named = {"target", "engine", "system_name"} & {*session.flags}
    if named and archives and not _meant(session.archive, archives):
        raise _unknown(session, archives)


def _unknown(session: Session, archives: Sequence[ArchiveSums]) -> UsageError:
    """The archive, or its target, is not in the state file."""
    name, place = session.settings.system_name, session.settings.target
    names = list(dict.fromkeys(each.system_name for each in archives))
    if "system_name" in session.flags and name is not None and name not in names:
        hint = did_you_mean(name, names, f"it knows {', '.join(names)}")
        text = f"no archive “{name}” in the state file"
        return UsageError(text, hint=hint, code="unknown-archive")
    there = [each.target for each in archives if name in (None, each.system_name)]
    what = "nothing" if name is None else f"nothing of “{name}”"
    text = f"{what} was sent to {_here(session)}, as far as the state file knows"
    meant = near(place, there)
    hint = f"did you mean --target {meant}?" if meant else _all(session, "status")
    return UsageError(text, hint=hint, code="unknown-archive")


def _all(session: Session, command: str) -> str:
    return f"{session.next_command(command, '--all')}   shows what it knows"


def of_job(session: Session, migration: Migration, job_id: str) -> ArchiveName:
    """The archive of a job that is named by its id. Raises UsageError for an unknown one, or one
    that is not of the archive that the command line names."""
    row = migration.job(job_id)
    of = ArchiveName(row.target, row.system_name)
    named = {"target", "engine", "system_name"} & {*session.flags}
    if named and not session.archive.holds(row.target, row.system_name):
        text = f"the job {row.id} is of “{row.system_name}” at {row.label}"
        hint = session.next_command("results", "--job", row.id, of=of)
        raise UsageError(text, hint=hint, code="other-archive")
    return of


def refuse_several(session: Session, migration: Migration, which: Filter) -> None:
    """A manifest has one archive. Raises UsageError where these images are of several."""
    if len(found := with_failures(migration, which)) > 1:
        raise _several(session, ("results", "--failed", "--as-manifest"), found)


def with_failures(migration: Migration, which: Filter) -> list[ArchiveSums]:
    """The archives that these failed images are of."""

    def held(each: ArchiveSums) -> bool:
        own = replace(which, target=each.target, system_name=each.system_name)
        return bool(each.totals.failed or which.waived) and migration.holds(own)

    mine = ArchiveName(which.target, which.system_name)
    return [each for each in _meant(mine, migration.archives()) if held(each)]


def elsewhere(archives: Sequence[ArchiveSums], mine: ArchiveName) -> list[ArchiveSums]:
    """Archives with images that are not meant."""
    return [each for each in archives if each.totals.rows and not _meant(mine, [each])]


def _meant(archive: ArchiveName, archives: Sequence[ArchiveSums]) -> list[ArchiveSums]:
    return [each for each in archives if archive.holds(each.target, each.system_name)]


def say_elsewhere(
    session: Session,
    migration: Migration,
    mine: ArchiveName,
    command: str,
    count: Callable[[Totals], int] = lambda totals: totals.rows,
) -> None:
    """Name in one line what a command left alone, and how it is reached. ``count``: which images
    the command is about."""
    others = [each for each in elsewhere(migration.archives(), mine) if count(each.totals)]
    if not others or not session.chatty:
        return
    if command in ("watch", "retry") and not _meant(ArchiveName(session.here), others):
        command = "status"  # at other targets, which it does not reach
    shown = [f"{_named(each)} ({number(count(each.totals))})" for each in others[:MOST_NAMED]]
    if len(others) > MOST_NAMED:
        shown.append(counted(len(others) - MOST_NAMED, "more archive"))
    text = f"also in the state file: {', '.join(shown)}"
    every = "--all-archives" if command == "retry" else "--all"
    session.notes.hint(session.next_command(*command.split(), every), text)


def _named(each: ArchiveSums) -> str:
    return f"{each.system_name} at {each.label}"


# -- acting: one target, and one archive of it unless all are asked for --------------------------


def to_retry(
    session: Session, migration: Migration, job: str | None, *, everything: bool
) -> ArchiveName:
    """Whose failed images are sent again. Raises UsageError where several archives may be meant
    and none is named, or the job is another one's."""
    here, archives = migration.target.identity, migration.archives()
    session.knows(archives)
    if job is not None:
        row = migration.job(job)
        _refuse_others(session, "retry", [row], migration.target, everything=everything)
        return ArchiveName(here, row.system_name)
    if everything:
        return ArchiveName(here)
    _check_named(session, archives)
    known = _meant(session.archive, [each for each in archives if each.totals.rows])
    name = session.settings.system_name
    if name is None and len(known) > 1:
        raise _several(session, ("retry",), known)
    if not session.target_named:
        _refuse_away(session, migration, known)
    if name is None and known:
        name = known[0].system_name
    return ArchiveName(here, name)


def to_waive(session: Session, migration: Migration) -> ArchiveSums:
    """Whose failures are accepted. Raises UsageError where several archives may be meant and none
    is named, or there is none."""
    archives = migration.archives()
    session.knows(archives)
    _check_named(session, archives)
    known = _meant(session.archive, [each for each in archives if each.totals.rows])
    if len(known) > 1:
        raise _several(session, ("waive",), known)
    if not known:
        raise UsageError("nothing has been submitted yet", code="nothing-to-waive")
    return known[0]


def to_watch(
    session: Session, migration: Migration, ids: Sequence[str], *, everything: bool
) -> ArchiveName:
    """Whose jobs are followed: those at the target in force. Raises UsageError when all that is
    under way is at another one."""
    here = migration.target.identity
    archives = migration.archives()
    session.knows(archives)
    if ids:
        rows = [migration.job(each) for each in ids]
        _refuse_others(session, "watch", rows, migration.target, everything=everything)
        names = {row.system_name for row in rows}
        return ArchiveName(here, names.pop() if len(names) == 1 else None)
    if not everything:
        _check_named(session, archives)
    mine = ArchiveName(here, None if everything else session.settings.system_name)
    under_way = migration.overview(most=1)
    if not session.target_named and under_way.under_way and here not in under_way.under_way:
        jobs = sum(under_way.under_way.values())
        what = f"{counted(jobs, 'job')} {'is' if jobs == 1 else 'are'}"
        of = ArchiveName(under_way.jobs[0].target)
        raise _other_target(session, "watch", f"{what} under way", of, migration.target)
    return mine


def _refuse_others(
    session: Session, command: str, jobs: Sequence[JobRow], target: Target, *, everything: bool
) -> None:
    """Jobs that are named by their ids belong to the target, and to the archive in force."""
    named = session.archive.system_name
    for job in jobs:
        of = ArchiveName(job.target, job.system_name)
        if job.target != target.identity:
            what = f"the job {job.id} is"
            raise _other_target(session, f"{command} {job.id}", what, of, target)
        if not everything and named is not None and named != job.system_name:
            text = f"the job {job.id} is of the archive “{job.system_name}”, not of “{named}”"
            hint = session.next_command(*_about(command, job), of=of)
            raise UsageError(text, hint=hint, code="other-archive")


def _about(command: str, job: JobRow) -> tuple[str, ...]:
    return (command, "--job", job.id) if command == "retry" else (command, job.id)


def _several(session: Session, command: Sequence[str], known: Sequence[ArchiveSums]) -> UsageError:
    """Nothing says which one: all are listed, each with the command that means it."""
    session.alone = False
    facts = {}
    for each in known:
        of = ArchiveName(each.target, each.system_name)
        failed = counted(each.totals.failed, "image")
        facts[_named(each)] = f"{failed} failed: {session.next_command(*command, of=of)}"
    text = f"the state file knows {counted(len(known), 'archive')}, and nothing says which is meant"
    hint = "name one: --system-name NAME, and --target where it is not the one in force"
    return UsageError(text, hint=hint, code="several-archives", facts=facts)


def _refuse_away(session: Session, migration: Migration, known: Sequence[ArchiveSums]) -> None:
    """Where all that has failed lies at another target, “nothing to do” would be wrong."""
    here = migration.target.identity
    failed = [each for each in known if each.totals.failed]
    if failed and all(each.target != here for each in failed):
        images = counted(sum(each.totals.failed for each in failed), "image")
        of = ArchiveName(failed[0].target, failed[0].system_name)
        raise _other_target(session, "retry", f"{images} failed", of, migration.target)


def refuse_to_ask(job: JobRow, target: Target) -> None:
    """Raises UsageError when a job is not at this target, which would call it lost."""
    if job.target != target.identity:
        raise UsageError(f"the job is at {_place(job.target)}, not at {_at(target)}")


def _other_target(
    session: Session, command: str, what: str, there: ArchiveName, target: Target
) -> UsageError:
    text = f"{what} at {_place(there.target or '')}, none at {_at(target)}"
    hint = session.next_command(*command.split(), of=there)
    return UsageError(text, hint=hint, code="other-target")


def _place(identity: str) -> str:
    return "another local engine" if identity.startswith("embedded:") else identity


def _at(target: Target) -> str:
    return "this local engine" if target.local else target.identity


def _here(session: Session) -> str:
    return "this local engine" if session.settings.embedded else session.settings.target


def to_ask(session: Session, migration: Migration, command: str) -> list[ArchiveSums]:
    """The archives at the target in force whose images it is asked about: the one that is named,
    else all of them. Raises UsageError where there are only some at another target."""
    here, archives = migration.target.identity, migration.archives()
    session.knows(archives)
    _check_named(session, archives)
    known = _meant(session.archive, [each for each in archives if each.totals.rows])
    mine = [each for each in known if each.target == here]
    if known and not mine:
        of = ArchiveName(known[0].target, known[0].system_name)
        images = counted(sum(each.totals.rows for each in known), "image")
        what = f"{images} {'is' if images == '1 image' else 'are'}"
        raise _other_target(session, command, what, of, migration.target)
    return mine
